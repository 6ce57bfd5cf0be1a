"""Every error of the API in one shape: `{"message": TEXT, "errors": {FIELD: [TEXT, ...]}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hookengine.engine.triggers import BadSignature
from hookengine.errors import (
    EventConflict,
    HookEngineError,
    InvalidDefinition,
    InvalidEvent,
    InvalidQuery,
    InvalidSecret,
    InvalidToken,
    ManagedElsewhere,
    NotFound,
    Outdated,
    ReplayRefused,
    StoreError,
    TooManyTrials,
)
from hookengine.guard.vault import SecretMissing
from hookengine.sources.cloudevents import NotACloudEvent, UnknownFormat

STATUS: Mapping[type[HookEngineError], int] = {
    NotACloudEvent: 400,
    UnknownFormat: 415,
    InvalidEvent: 422,
    InvalidSecret: 422,
    InvalidQuery: 422,
    InvalidDefinition: 422,
    EventConflict: 409,
    ManagedElsewhere: 409,
    Outdated: 409,
    InvalidToken: 422,
    ReplayRefused: 409,
    NotFound: 404,
    BadSignature: 403,
    TooManyTrials: 429,
    SecretMissing: 503,
    StoreError: 503,
}


_UNREAD: Mapping[type[Exception], str] = {
    UnicodeDecodeError: "Is not UTF-8.",
    RecursionError: "Is nested too deeply.",
    ValueError: "Has a number of too many digits.",
}
"""What is wrong with a body that FastAPI could not read, by what stopped it."""


def error_response(
    status: int,
    message: str,
    errors: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"message": message}
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, headers=dict(headers or {}))


def told(error: HookEngineError) -> Response:
    """What a caller is told of what went wrong; a database's own words stay in the log.

    Raises the error again if it is none that a caller can do something about.
    """
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        raise error
    if isinstance(error, InvalidEvent | InvalidQuery | InvalidDefinition):
        return error_response(status, "The given data was invalid.", error.errors)
    if isinstance(error, InvalidSecret):
        return error_response(status, "The given data was invalid.", {error.field: [str(error)]})
    if isinstance(error, StoreError):
        return error_response(
            status,
            "The database cannot take this now; nothing was accepted. Try again.",
            None,
            {"retry-after": "5"},
        )
    if isinstance(error, SecretMissing):
        return error_response(status, "This hook cannot verify requests now; tell its administrator.")
    return error_response(status, str(error))


def _failed() -> Response:
    return error_response(500, "The engine failed; its log says more.")


def add_error_handlers(app: FastAPI) -> None:
    async def of_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HookEngineError)  # noqa: S101  registered for nothing else
        return told(error)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
        unread = next((said for kind, said in _UNREAD.items() if isinstance(error.__cause__, kind)), None)
        if unread is not None:
            return error_response(422, "The given data was invalid.", {"body": [unread]})
        return error_response(error.status_code, str(error.detail), None, error.headers)

    async def of_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  registered for nothing else
        fields: dict[str, list[str]] = {}
        for problem in error.errors():
            place = problem["loc"][1:2] if problem["loc"][0] == "query" else problem["loc"][1:]
            fields.setdefault(".".join(map(str, place)), []).append(problem["msg"] + ".")
        return error_response(422, "The given data was invalid.", fields)

    async def of_all_else(request: Request, error: Exception) -> Response:
        return _failed()  # and Starlette raises it again, for the log

    for kind in STATUS:
        app.add_exception_handler(kind, of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, of_all_else)
