"""GET /api/deployments: what was deployed around an alert."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hookengine.domain import views
from hookengine.domain.clock import Clock
from hookengine.store.records import Around, moment
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import failures, linked_answer
from hookengine.web.api.parameters import Before, Limit, Moment, Seen, Several, Text, link_onward

DAY = 24 * 60  # minutes


def deployments_router(seen: Seen, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/api/deployments", tags=["deployments"])

    @router.get(
        "",
        operation_id="list_deployments",
        responses={200: linked_answer("What was deployed", examples.DEPLOYMENTS), **failures(422)},
    )
    async def list_deployments(
        request: Request,
        response: Response,
        at: Moment = None,
        window: Annotated[
            int, Query(ge=1, le=31 * DAY, description="Minutes before and after `at` that count")
        ] = 60,
        team: Text = None,
        type: Several = None,  # noqa: A002  the field's name
        before: Before = None,
        limit: Limit = 100,
    ) -> views.Deployments:
        """Newest first. `at` is when the alert came, now if absent; `team` whose it is: once a pipeline belongs to
        that team only its own pipelines count, before that everybody's (`scope` says which). `type`: types of
        actions, else deploy, deployment, release, merge, push and rollback. With `before` the list goes on around
        the same `at` as the one before it, whatever `at` is now."""
        now = clock.now()
        asked = Around(
            at=now if at is None else moment("at", at, now),
            window=window * 60_000,
            team=team,
            types=tuple(type or ()),
            limit=limit,
            before=before,
        )
        found = await seen(request).deployments(asked)
        link_onward(request, response, found["next"])
        return found

    return router
