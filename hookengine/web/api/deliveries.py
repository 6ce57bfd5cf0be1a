"""GET /api/deliveries: what is owed, and what was tried."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from hookengine.domain.delivery import DeliveryStatus
from hookengine.store.records import DeliveryFilter, Records


def deliveries_router(records: Records) -> APIRouter:
    router = APIRouter(prefix="/api/deliveries", tags=["deliveries"])

    @router.get("", operation_id="list_deliveries")
    async def list_deliveries(
        status: DeliveryStatus | None = None,
        event: str | None = None,
        hook: str | None = None,
        before: Annotated[
            str | None, Query(description="The id at which the list before this one ended")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """Newest first. `next` is the `before` of the list that follows, null at the end."""
        wanted = DeliveryFilter(status=status, event_id=event, hook_id=hook, before=before, limit=limit + 1)
        found = await records.deliveries(wanted)
        items = found[:limit]
        return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}

    @router.get("/{delivery_id}", operation_id="get_delivery")
    async def get_delivery(delivery_id: str) -> dict[str, Any]:
        """With its request and every attempt."""
        return await records.delivery(delivery_id)

    return router
