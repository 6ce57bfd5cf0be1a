"""POST /api/events. A plain Starlette route: FastAPI's own layer would cost more than accepting does."""

from __future__ import annotations

from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookengine.domain.event import Event
from hookengine.domain.event_list import parse_all
from hookengine.errors import HookEngineError
from hookengine.web.callers import Pipelines, caller_of, check_events
from hookengine.web.errors import error_response, told


class Accepts(Protocol):
    async def accept(self, events: list[Event]) -> list[dict[str, Any]]: ...


def events_route(intake: Accepts, pipelines: Pipelines) -> Route:
    async def accept(request: Request) -> Response:
        """202 with what was accepted: an object for one event, a list for a list."""
        try:
            document = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            return error_response(
                400, f"The body is not JSON: {error}. JSON has no comments and no trailing commas."
            )
        try:
            events = parse_all(document if isinstance(document, list) else [document])
            check_events(caller_of(request), events, pipelines)
            answers = await intake.accept(events)
            return _accepted(answers if isinstance(document, list) else answers[0])
        except HookEngineError as error:
            return told(error)

    return Route("/api/events", accept, methods=["POST"], name="accept_events")


def _accepted(answer: Any) -> Response:
    return Response(orjson.dumps(answer), 202, media_type="application/json")
