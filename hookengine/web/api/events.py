"""POST /api/events. An ASGI application of its own: FastAPI's layers would cost more than accepting does."""

from __future__ import annotations

from typing import Any, Final, Protocol

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hookengine.domain.event import Event
from hookengine.domain.event_list import levels_in, parse_all
from hookengine.domain.token import Token
from hookengine.errors import HookEngineError
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import json_body
from hookengine.web.callers import Pipelines, caller_of, check_events
from hookengine.web.errors import error_response, told

PATH: Final = "/api/events"
EVENT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What happened to an action. What else it says is context for templates.",
    "required": ["type", "action"],
    "properties": {
        "id": {
            "type": "string",
            "description": "Made if absent; each pipeline's own; again it changes nothing",
        },
        "type": {"type": "string", "examples": ["action.started"]},
        "occurred_at": {"type": "string", "description": "RFC 3339"},
        "action": {
            "type": "object",
            "required": ["id", "pipeline"],
            "properties": {
                "id": {"type": ["integer", "string"]},
                "pipeline": {
                    "type": ["integer", "string", "object"],
                    "description": "Its id or name, or an object with one of them",
                },
            },
        },
    },
}
_ACCEPTED: Final = {"$ref": "#/components/schemas/Accepted"}
_SHOWN: Final[dict[str, Any]] = {"oneOf": [_ACCEPTED, {"type": "array", "items": _ACCEPTED}]}
OPERATION: Final[dict[str, Any]] = {
    "tags": ["events"],
    "summary": "Accept Events",
    "description": "Tell what happened: one event, or a list of which all are accepted or none. 202 once it is"
    " durable. The same id again answers the same; with another body 409.",
    "operationId": "accept_events",
    **json_body({"oneOf": [EVENT_SCHEMA, {"type": "array", "items": EVENT_SCHEMA}]}, examples.SEND),
    "responses": {
        "202": {
            "description": "What was accepted: an object for one event, a list for a list",
            "content": {"application/json": {"schema": _SHOWN, "example": examples.ACCEPTED}},
        },
        **{str(status): {} for status in (400, 409, 422)},
    },
}
"""For the OpenAPI document, which knows of no plain routes."""


class Accepts(Protocol):
    async def accept(self, events: list[Event]) -> list[dict[str, Any]]: ...


def events_route(intake: Accepts, pipelines: Pipelines) -> Route:
    return Route(PATH, _EventsDoor(intake, pipelines), methods=["POST"], name="accept_events")


class _EventsDoor:
    """Where a body comes whole, as behind `AccessMiddleware`."""

    def __init__(self, intake: Accepts, pipelines: Pipelines) -> None:
        self._intake = intake
        self._pipelines = pipelines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: bytes = (await receive())["body"]
        response = await self._accept(caller_of(HTTPConnection(scope)), body)
        await response(scope, receive, send)

    async def _accept(self, caller: Token, body: bytes) -> Response:
        """202 with what was accepted: an object for one event, a list for a list."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return error_response(
                400, f"The body is not JSON: {error}. JSON has no comments and no trailing commas."
            )
        try:
            events = parse_all(document if isinstance(document, list) else [document], levels_in(body))
            check_events(caller, events, self._pipelines)
            answers = await self._intake.accept(events)
            return _accepted(answers if isinstance(document, list) else answers[0])
        except HookEngineError as error:
            return told(error)


def _accepted(answer: Any) -> Response:
    return Response(orjson.dumps(answer), 202, media_type="application/json")
