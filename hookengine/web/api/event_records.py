"""GET /api/events: what was told, and which hooks it matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Request, Response

from hookengine.domain import views
from hookengine.domain.clock import Clock, Millis
from hookengine.domain.event import Event
from hookengine.errors import InvalidEvent
from hookengine.store.records import Page, WantedEvents, moment
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import failures, json_answer, json_body, list_answer
from hookengine.web.api.events import EVENT_SCHEMA
from hookengine.web.api.parameters import Before, Identity, Limit, Moment, OfPipeline, Seen, Text, listed


class Explains(Protocol):
    async def stored(self, event_id: str, pipeline_id: int) -> views.Explained: ...

    async def unsent(self, event: Event) -> views.Explained: ...


Check = Callable[[Request, Event], None]
"""Raises InvalidEvent for a pipeline that is not the caller's."""


def event_records_router(seen: Seen, explainer: Explains, clock: Clock, check: Check) -> APIRouter:
    router = APIRouter(prefix="/api/events", tags=["events"])

    @router.get(
        "",
        operation_id="list_events",
        responses={200: list_answer("Some of them", examples.TOLD), **failures(422)},
    )
    async def list_events(
        request: Request,
        response: Response,
        type: Text = None,  # noqa: A002  the field's name
        pipeline: OfPipeline = None,
        action: Text = None,
        since: Moment = None,
        until: Moment = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> views.ListOf[views.Event]:
        """Newest first, by when they were accepted."""

        def bound(name: str, text: str | None) -> Millis | None:
            return None if text is None else moment(name, text, clock.now())

        wanted = WantedEvents(
            type=type,
            pipeline=pipeline,
            action=action,
            since=bound("since", since),
            until=bound("until", until),
        )
        found = await seen(request).events(wanted, Page(before=before, limit=limit + 1))
        return listed(request, response, found, limit)

    @router.post(
        "/explain",
        operation_id="explain_unsent_event",
        responses={200: json_answer("Each hook", examples.EXPLAINED), **failures(408, 413, 422)},
        openapi_extra=json_body(EVENT_SCHEMA, examples.SEND),
    )
    async def explain_unsent_event(request: Request) -> views.Explained:
        """Which hooks an event would match, and why the others would not. It is neither kept nor delivered."""
        event = Event.parse(_json(await request.body()))
        check(request, event)
        return await explainer.unsent(event)

    @router.get(
        "/{event_id:path}/explain",
        operation_id="explain_event",
        responses={200: json_answer("Each hook", examples.EXPLAINED), **failures(404, 422)},
    )
    async def explain_event(
        request: Request, event_id: Identity, pipeline: OfPipeline = None
    ) -> views.Explained:
        """Each hook as it is now, whether it matches, and if not the first thing that keeps it from it."""
        told = await seen(request).told(event_id, pipeline)
        return await explainer.stored(event_id, told.pipeline_id)

    @router.get(
        "/{event_id:path}",
        operation_id="get_event",
        responses={200: json_answer("The event", examples.EVENT), **failures(404, 422)},
    )
    async def get_event(
        request: Request, event_id: Identity, pipeline: OfPipeline = None
    ) -> views.EventDetails:
        """With its data, secrets taken out, and the deliveries it owes. 422 where several pipelines have an event
        of this id and none is named."""
        return await seen(request).event(event_id, pipeline)

    return router


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent({"event": [f"The body is not JSON: {error}."]}) from error
