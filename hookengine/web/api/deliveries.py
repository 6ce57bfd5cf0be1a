"""GET /api/deliveries: what is owed, and what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from hookengine.domain import views
from hookengine.domain.attempt import OutcomeWord
from hookengine.domain.clock import Clock
from hookengine.domain.delivery import DeliveryStatus
from hookengine.store.records import FIELDS, Page, Wanted
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import failures, json_answer, list_answer
from hookengine.web.api.parameters import Before, Identity, Limit, Moment, Search, Seen, Several, listed

Code = Annotated[str, StringConstraints(pattern=r"^([1-5]xx|[1-5][0-9][0-9]|none)$")]
Outcome = Literal[OutcomeWord, "none"]


def deliveries_router(seen: Seen, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/api/deliveries", tags=["deliveries"])

    @router.get(
        "",
        operation_id="list_deliveries",
        responses={200: list_answer("Some of them", examples.BRIEFLY), **failures(422)},
    )
    async def list_deliveries(
        request: Request,
        response: Response,
        status: Annotated[list[DeliveryStatus] | None, Query()] = None,
        hook: Several = None,
        pipeline: Several = None,
        host: Several = None,
        lane: Several = None,
        sha: Several = None,
        code: Annotated[list[Code] | None, Query()] = None,
        outcome: Annotated[list[Outcome] | None, Query()] = None,
        event: Several = None,
        type: Several = None,  # noqa: A002  the field's name
        action: Several = None,
        replay_of: Several = None,
        because: Several = None,
        q: Search = "",
        since: Moment = None,
        until: Moment = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> views.ListOf[views.Delivery]:
        """Newest first. Of a parameter given several times one must hold, of different ones all.

        `next` is the `before` of the list that follows, null at the end.
        """
        wanted = Wanted.of(terms_of(request), clock.now(), q=q, since=since, until=until)
        found = await seen(request).deliveries(wanted, Page(before=before, limit=limit + 1))
        return listed(request, response, [(item["id"], item) for item in found], limit)

    @router.get(
        "/{delivery_id}",
        operation_id="get_delivery",
        responses={200: json_answer("The delivery", examples.DELIVERY), **failures(404, 422)},
    )
    async def get_delivery(request: Request, delivery_id: Identity) -> views.DeliveryDetails:
        """With its request and every attempt."""
        return await seen(request).delivery(delivery_id)

    @router.get(
        "/{delivery_id}/attempts",
        operation_id="list_attempts",
        responses={200: json_answer("All of them", examples.ATTEMPTS), **failures(404, 422)},
    )
    async def list_attempts(request: Request, delivery_id: Identity) -> views.ListOf[views.Attempt]:
        """In order."""
        return {"items": await seen(request).attempts(delivery_id), "next": None}

    return router


def terms_of(request: Request) -> Mapping[str, Sequence[str]]:
    """The parameters that are fields of deliveries."""
    return {name: request.query_params.getlist(name) for name in FIELDS if name in request.query_params}
