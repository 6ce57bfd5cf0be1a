"""Parameters that nobody reads are mistakes: a misspelt filter would choose everything."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from hookengine.errors import InvalidQuery


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of whole routers. Raises InvalidQuery."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.query_params:
        return
    known = sorted({*_names(route.dependant)})
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise InvalidQuery({name: [_message(name, known)] for name in unknown})


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)


def _message(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"There is no such parameter; did you mean {near[0]}?"
    return (
        f"There is no such parameter; there are {', '.join(known)}."
        if known
        else "There are no parameters here."
    )
