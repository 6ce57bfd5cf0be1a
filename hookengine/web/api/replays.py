"""Asking for deliveries again, one or many, and cancelling one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hookengine.domain import replay_views, views
from hookengine.domain.clock import Clock
from hookengine.domain.delivery import ENDED, DeliveryStatus
from hookengine.domain.replay import ReplayMode, ReplayState
from hookengine.engine.replay import Replayer
from hookengine.engine.replays import Replays
from hookengine.errors import InvalidQuery, ReplayRefused
from hookengine.store.records import Page, Wanted
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import body_example, failures, json_answer, list_answer
from hookengine.web.api.parameters import Before, Identity, Limit, Seen, listed

BY_HAND = "cancelled by a person"


class ReplayOne(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Annotated[ReplayMode, Field(strict=False)] = ReplayMode.SAME
    """same: the same bytes; render: rendered anew, with the hook as it is now."""


class ReplayMany(BaseModel):
    """Which deliveries: as `GET /api/deliveries` finds them with the same `q`, `since` and `until`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    q: Annotated[str, Field(max_length=2000)] = ""
    since: Annotated[str | None, Field(max_length=40)] = None
    until: Annotated[str | None, Field(max_length=40)] = None
    mode: Annotated[ReplayMode, Field(strict=False)] = ReplayMode.SAME

    def wanted(self, clock: Clock) -> Wanted:
        if not self.q.strip() and self.since is None:
            raise InvalidQuery({"q": ["Say which deliveries, with q or since: all of them is never meant."]})
        return Wanted.of({}, clock.now(), q=self.q, since=self.since, until=self.until)


class StartReplay(ReplayMany):
    per_minute: Annotated[int, Field(ge=1, le=6000)] = 300
    """How many at most, so that live traffic is not held up."""


def replay_router(seen: Seen, replayer: Replayer) -> APIRouter:
    """Of one delivery."""
    router = APIRouter(prefix="/api/deliveries/{delivery_id}", tags=["deliveries"])

    @router.post(
        "/replay",
        operation_id="replay_delivery",
        openapi_extra=body_example(examples.ONE),
        status_code=202,
        responses={202: json_answer("The new delivery", examples.REPLAYED), **failures(404, 409, 422)},
    )
    async def replay_delivery(
        request: Request, delivery_id: Identity, asked: ReplayOne | None = None
    ) -> replay_views.Replayed:
        """Owe it once more, as a new delivery with `replay_of`. 409 with the reason while it has not ended, or
        where it would put an older status over a newer one."""
        await seen(request).delivery(delivery_id)
        replay_id = await replayer.one(delivery_id, (asked or ReplayOne()).mode)
        return {"id": replay_id, "replay_of": delivery_id}

    @router.post(
        "/cancel",
        operation_id="cancel_delivery",
        responses={200: json_answer("What it is now", examples.CANCELLED), **failures(404, 409, 422)},
    )
    async def cancel_delivery(request: Request, delivery_id: Identity) -> replay_views.Cancelled:
        """What waits is cancelled. What is being sent is cancelled unless it succeeds: its status stays sending
        until then. 409 for one that has ended otherwise."""
        await seen(request).delivery(delivery_id)
        status = await replayer.cancel(delivery_id, BY_HAND)
        if status in ENDED and status != DeliveryStatus.CANCELLED:
            raise ReplayRefused(f"{delivery_id} has ended: it is {status}")
        return {"id": delivery_id, "status": status}

    return router


def replays_router(seen: Seen, replays: Replays, clock: Clock) -> APIRouter:
    """Of many."""
    router = APIRouter(prefix="/api/replays", tags=["replays"])

    @router.post(
        "/plan",
        operation_id="plan_replay",
        openapi_extra=body_example(examples.MANY),
        responses={200: json_answer("The plan", examples.PLANNED), **failures(422)},
    )
    async def plan_replay(request: Request, asked: ReplayMany) -> replay_views.ReplayPlan:
        """How many there are (`at_least`: that many or more), and what the first five would send. Nothing begins."""
        return await replays.plan(asked.wanted(clock), asked.mode, seen(request))

    @router.post(
        "",
        operation_id="start_replay",
        openapi_extra=body_example(examples.MANY),
        status_code=202,
        responses={202: json_answer("It has begun", examples.REPLAY), **failures(422)},
    )
    async def start_replay(request: Request, asked: StartReplay) -> replay_views.Replay:
        """Ask again for all there are now, the oldest first. One whose status is not the newest any more is refused
        and counted."""
        records = seen(request)
        replay_id = await replays.start(asked.wanted(clock), asked.mode, asked.per_minute, records)
        return await records.replay(replay_id)

    @router.get(
        "",
        operation_id="list_replays",
        responses={200: list_answer("Some of them", examples.REPLAY), **failures(422)},
    )
    async def list_replays(
        request: Request, response: Response, before: Before = None, limit: Limit = 50
    ) -> views.ListOf[replay_views.Replay]:
        """Newest first."""
        found = await seen(request).replays(Page(before=before, limit=limit + 1))
        return listed(request, response, [(item["id"], item) for item in found], limit)

    @router.get(
        "/{replay_id}",
        operation_id="get_replay",
        responses={200: json_answer("The replay", examples.REPLAY), **failures(404, 422)},
    )
    async def get_replay(request: Request, replay_id: Identity) -> replay_views.Replay:
        """How far it has come."""
        return await seen(request).replay(replay_id)

    async def switch(request: Request, replay_id: str, state: ReplayState) -> replay_views.Replay:
        records = seen(request)
        await records.replay(replay_id)
        await replays.switch(replay_id, state)
        return await records.replay(replay_id)

    @router.post(
        "/{replay_id}/pause",
        operation_id="pause_replay",
        responses={200: json_answer("The replay", examples.REPLAY), **failures(404, 409, 422)},
    )
    async def pause_replay(request: Request, replay_id: Identity) -> replay_views.Replay:
        """What was asked for already is sent."""
        return await switch(request, replay_id, ReplayState.PAUSED)

    @router.post(
        "/{replay_id}/resume",
        operation_id="resume_replay",
        responses={200: json_answer("The replay", examples.REPLAY), **failures(404, 409, 422)},
    )
    async def resume_replay(request: Request, replay_id: Identity) -> replay_views.Replay:
        return await switch(request, replay_id, ReplayState.RUNNING)

    @router.post(
        "/{replay_id}/cancel",
        operation_id="cancel_replay",
        responses={200: json_answer("The replay", examples.REPLAY), **failures(404, 409, 422)},
    )
    async def cancel_replay(request: Request, replay_id: Identity) -> replay_views.Replay:
        """For good. What was asked for already is sent."""
        return await switch(request, replay_id, ReplayState.CANCELLED)

    return router
