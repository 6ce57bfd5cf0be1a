"""Bodies of requests: JSON, and where it is not, said in a way that helps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request

from hookengine.errors import InvalidDefinition

FIELD: Final = "body"
"""Under which what is wrong with the whole body is told."""

_COMMENT = re.compile(r"^\s*(//|#).*$|^\s*/\*.*$", re.MULTILINE)
_BLANK = re.compile(r"<[a-z][a-z0-9_ ]*>", re.IGNORECASE)
_MOST_TOLD: Final = 10


async def object_in(request: Request) -> dict[str, Any]:
    """Raises InvalidDefinition."""
    return parsed(await request.body())


def parsed(body: bytes) -> dict[str, Any]:
    """The object that a body holds. Raises InvalidDefinition, which names lines."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidDefinition({FIELD: list(_explained(error))}) from error
    if not isinstance(document, dict):
        raise InvalidDefinition({FIELD: ["Must be a JSON object."]})
    return document


def _explained(error: orjson.JSONDecodeError) -> Iterator[str]:
    """Comments first: they are what guides leave in the commands that people copy."""
    text = error.doc if isinstance(error.doc, str) else ""
    comments = list(_COMMENT.finditer(text))
    for comment in comments[:_MOST_TOLD]:
        line = _line(text, comment.end())
        yield f"Line {line}: JSON has no comments; take out `{comment[0].strip()[:80]}`."
    bare = _bare_blank(text, error.pos)
    if bare is not None:
        line = _line(text, error.pos)
        yield f"Line {line}: `{bare}` is still to be replaced, by a text in quotes or another JSON value."
    if not comments and bare is None:
        yield f"Is not JSON: {error}. JSON has no comments and no trailing commas."


def _bare_blank(text: str, position: int) -> str | None:
    found = _BLANK.match(text, position)
    return found[0] if found else None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def overlaid(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what `changes` says laid over it: null takes a key away, so that it is as usual again.

    Inside of `settings`, `trigger_when` and `with`, what is not said stays too; all else is replaced as a whole.
    """
    result = dict(document)
    for key, value in changes.items():
        before = result.get(key)
        if key in _KEPT_INSIDE and isinstance(value, Mapping) and isinstance(before, Mapping):
            result[key] = _without_none({**before, **value})
        else:
            result[key] = value
    return _without_none(result)


_KEPT_INSIDE: Final = frozenset({"settings", "trigger_when", "with"})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
