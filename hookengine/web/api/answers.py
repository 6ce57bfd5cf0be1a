"""What the OpenAPI document says of answers that many operations give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import BaseModel, Field


class Failure(BaseModel):
    """What every error of the API looks like."""

    message: str
    errors: Annotated[
        dict[str, list[str]] | None, Field(description="What is wrong, by the field it is wrong with")
    ] = None


FAILURE: Final = {"$ref": "#/components/schemas/Failure"}

MEANINGS: Mapping[int, tuple[str, str]] = {
    400: ("It cannot be read", "The body is not JSON."),
    401: ("There is no token, or an unknown one", "Unauthenticated: send `Authorization: Bearer TOKEN`."),
    403: ("It may not be done", "Forbidden: this needs a token with another scope."),
    404: ("It is not there", "no hook '0192d3c4'"),
    408: ("The body did not arrive in time", "The body did not arrive within 20 s."),
    409: ("Files manage it, or somebody else was faster", "hook 0192d3c4 is managed by 'file'"),
    413: ("The body is too large", "The body may have 1048576 bytes at most; server.max_body says so."),
    415: ("It is not JSON", "data must be JSON, not text/xml"),
    422: ("Something is wrong with it", "The given data was invalid."),
    429: ("Too much of it at once", "A token may make 300 requests a second."),
    503: ("The database does not answer, or a secret is missing", "The database cannot take this now."),
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These, and those that every operation may answer."""
    return {status: failure(status) for status in sorted({*statuses, 401, 503})}


def failure(status: int) -> dict[str, Any]:
    """It refers to its schema: a model here would be read anew for every operation."""
    meaning, message = MEANINGS[status]
    example: dict[str, Any] = {"message": message}
    if status == 422:
        example["errors"] = {"target_url": ["Is required"]}
    return {
        "description": meaning,
        "content": {"application/json": {"schema": FAILURE, "example": example}},
    }


def json_body(schema: Mapping[str, Any], example: Any, *, required: bool = True) -> dict[str, Any]:
    """For operations that read their body themselves, so that they can name the line of a mistake."""
    content = {"application/json": {"schema": dict(schema), "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def body_example(example: Any) -> dict[str, Any]:
    """For operations whose body is a model."""
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


def json_answer(description: str, example: Any, model: Any = None) -> dict[str, Any]:
    """`model` for operations that make their response themselves; else it is what they return."""
    told = {"description": description, "content": {"application/json": {"example": example}}}
    return told if model is None else {**told, "model": model}


def list_answer(description: str, *items: Any) -> dict[str, Any]:
    """Of a list that may go on."""
    return linked_answer(description, {"items": list(items), "next": None})


def linked_answer(description: str, example: Any) -> dict[str, Any]:
    """Of a list that may go on, with more around it."""
    return _linked(json_answer(description, example), "`next`, if there is one")


def page_answer(description: str, *items: Any) -> dict[str, Any]:
    """Of a numbered page."""
    return _linked(json_answer(description, list(items)), "`first`, `prev`, `next` and `last`")


def _linked(answer: dict[str, Any], where: str) -> dict[str, Any]:
    link = {"description": f"Where other parts are: {where}", "schema": {"type": "string"}}
    return {**answer, "headers": {"Link": link}}


Force = Annotated[
    bool, Query(description="Also what files manage: it is theirs again when they are applied the next time")
]
