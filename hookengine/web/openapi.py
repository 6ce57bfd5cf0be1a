"""The OpenAPI document: what FastAPI knows, and what stands before and beside its routes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import TypeAdapter

from hookengine.domain.views import Accepted
from hookengine.web.access import is_open
from hookengine.web.api.answers import FAILURE, MEANINGS, Failure, failure
from hookengine.web.scopes import scope_of

Operation = dict[str, Any]

_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of the engine, `hke_ID_SECRET`. Every operation names the scope it needs; `admin` has all."
    " Webhooks of sources that have a secret of their own need none.",
}
_OUR_OWN: Final = ("HTTPValidationError", "ValidationError")
"""FastAPI's shapes of errors, which ours stands for."""
_FASTAPIS: Final = "Validation Error"
_KIND: Final = "outgoing"
"""The scopes of paths with a kind of hook in them are the same for both kinds."""


class DescribedAPI(FastAPI):
    """Its document tells of plain routes (`plain`: operations by path and method in lower case), of the token that
    every operation needs but those at `open_paths`, and of errors in our shape."""

    plain: Mapping[str, Mapping[str, Operation]] = {}
    open_paths: Collection[str] = ()

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = self._completed(super().openapi())
        return self.openapi_schema

    def _completed(self, document: dict[str, Any]) -> dict[str, Any]:
        paths: dict[str, dict[str, Operation]] = document.setdefault("paths", {})
        for route in iter_route_contexts(self.routes):
            if isinstance(route.original_route, APIRoute):
                _with_whole_examples(paths[str(route.path_format)], route)
        for path, methods in self.plain.items():
            for method, operation in methods.items():
                paths.setdefault(path, {})[method] = {**operation, "responses": {**operation["responses"]}}
        for path, method, operation in operations(document):
            public = is_open(method.upper(), path, self.open_paths)
            _complete(operation, None if public else (method.upper(), path))
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Failure"] = Failure.model_json_schema()
        schemas |= _schemas(Accepted)
        for name in _OUR_OWN:
            schemas.pop(name, None)
        components["responses"] = {_name(status): failure(status) for status in sorted(MEANINGS)}
        components["securitySchemes"] = {"token": _BEARER}
        document["paths"] = {path: paths[path] for path in sorted(paths)}
        return document


def _with_whole_examples(methods: Mapping[str, Operation], route: RouteContext) -> None:
    """As they were written: FastAPI leaves out what is null."""
    for method in route.methods or ():
        answers = methods[method.lower()]["responses"]
        for status, answer in route.responses.items():
            for kind, content in answer.get("content", {}).items():
                answers[str(status)]["content"][kind]["example"] = content["example"]


def _schemas(shown: type) -> dict[str, Any]:
    """Of what plain routes answer, and of its parts."""
    schema = TypeAdapter(shown).json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), shown.__name__: schema}


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    """Path, method in lower case, and what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(operation: Operation, closed: tuple[str, str] | None) -> None:
    """`closed`: method and path, unless anybody may come in."""
    operation["summary"] = operation["summary"].capitalize()
    answers = operation["responses"]
    if closed is None:
        operation["security"] = []
        answers.pop("401", None)
    else:
        method, path = closed
        scope = scope_of(method, path.replace("{hook_type}", _KIND))
        operation["security"] = [{"token": [] if scope is None else [str(scope)]}]
        needed = "Any token will do." if scope is None else f"Needs a token with the scope `{scope}`."
        operation["description"] = f"{operation.get('description', '')}\n\n{needed}".strip()
        answers.setdefault("401", {})
        answers.setdefault("429", {})
        answers.setdefault("503", {})
        if scope is not None:
            answers.setdefault("403", {})
    if "requestBody" in operation:
        answers.setdefault("408", {})
        answers.setdefault("413", {})
    for status in answers:
        if int(status) >= 400:
            answers[status] = _told(int(status), answers[status])
    operation["responses"] = dict(sorted(answers.items()))


def _told(status: int, said: Mapping[str, Any]) -> dict[str, Any]:
    """An error in our shape: the usual one of its status unless something of its own is said of it."""
    usual = failure(status)
    own = said.get("content", {}).get("application/json", {})
    told = {
        "description": said.get("description", usual["description"]),
        "content": {"application/json": {**usual["content"]["application/json"], **own, "schema": FAILURE}},
    }
    plain = not said or said["description"] == _FASTAPIS
    return {"$ref": f"#/components/responses/{_name(status)}"} if plain or told == usual else told


def _name(status: int) -> str:
    return f"Error{status}"
