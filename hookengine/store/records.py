"""Reading what happened: the one source of the API's, the command line's and later the console's lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hookengine.domain.clock import Millis, as_text
from hookengine.domain.request import RenderedRequest
from hookengine.errors import NotFound
from hookengine.store.tables import (
    AttemptRow,
    DeliveryRow,
    EventRow,
    HookRevisionRow,
    LaneRow,
    RequestRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Every field that is set must match; `before` continues a list after the delivery of that id."""

    status: str | None = None
    event_id: str | None = None
    hook_id: str | None = None
    before: str | None = None
    limit: int = 50


class Records:
    """Values are plain JSON ones; times RFC 3339; secrets by name only."""

    def __init__(self, engine: AsyncEngine) -> None:
        """The engine is closed with it."""
        self._engine = engine

    @classmethod
    def of_sqlite(cls, path: Path) -> Records:
        return cls(create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True))

    async def close(self) -> None:
        await self._engine.dispose()

    async def deliveries(self, wanted: DeliveryFilter) -> list[dict[str, Any]]:
        """Newest first."""
        query = (
            select(DeliveryRow, LaneRow, EventRow)
            .join(LaneRow, col(LaneRow.id) == col(DeliveryRow.lane_id), isouter=True)
            .join(EventRow, col(EventRow.id) == col(DeliveryRow.event_id))
            .order_by(col(DeliveryRow.id).desc())
            .limit(wanted.limit)
        )
        for column, value in (
            (DeliveryRow.status, wanted.status),
            (DeliveryRow.event_id, wanted.event_id),
            (DeliveryRow.hook_id, wanted.hook_id),
        ):
            if value is not None:
                query = query.where(col(column) == value)
        if wanted.before is not None:
            query = query.where(col(DeliveryRow.id) < wanted.before)
        async with AsyncSession(self._engine) as session:
            rows = (await session.exec(query)).all()
            names = await _hook_names(session, [delivery for delivery, _, _ in rows])
        return [_delivery(delivery, lane, event, names) for delivery, lane, event in rows]

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        """With its request and its attempts. Raises NotFound."""
        async with AsyncSession(self._engine) as session:
            row = await session.get(DeliveryRow, delivery_id)
            if row is None:
                raise NotFound("delivery", delivery_id)
            lane = await session.get(LaneRow, row.lane_id) if row.lane_id else None
            event = await session.get(EventRow, row.event_id)
            request = await session.get(RequestRow, row.request_id) if row.request_id else None
            attempts = await session.exec(
                select(AttemptRow)
                .where(col(AttemptRow.delivery_id) == delivery_id)
                .order_by(col(AttemptRow.number))
            )
            names = await _hook_names(session, [row])
            return {
                **_delivery(row, lane, event, names),
                "request": None if request is None else RenderedRequest.from_json(request.document).shown(),
                "attempts": [_attempt(attempt) for attempt in attempts.all()],
            }


async def _hook_names(session: AsyncSession, rows: Sequence[DeliveryRow]) -> dict[tuple[str, int], str]:
    ids = {row.hook_id for row in rows}
    found = await session.exec(select(HookRevisionRow).where(col(HookRevisionRow.hook_id).in_(ids)))
    return {(row.hook_id, row.revision): json.loads(row.document)["name"] for row in found.all()}


def _delivery(
    row: DeliveryRow, lane: LaneRow | None, event: EventRow | None, names: dict[tuple[str, int], str]
) -> dict[str, Any]:
    waiting = row.status in ("queued", "retrying") and lane is not None and lane.head_id == row.id
    return {
        "id": row.id,
        "status": row.status,
        "because": row.because,
        "event": {"id": row.event_id, "type": event.type if event else None},
        "hook": {"id": row.hook_id, "name": names.get((row.hook_id, row.hook_revision))},
        "lane": {"key": lane.key, "policy": lane.policy} if lane else None,
        "attempts_made": row.attempts,
        "next_attempt_at": _time(lane.due_at) if waiting and lane else None,
        "superseded_by": row.superseded_by,
        "repair_of": row.repair_of,
        "replay_of": row.replay_of,
        "accepted_at": _time(row.accepted_at),
        "ended_at": _time(row.ended_at),
    }


def _attempt(row: AttemptRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "outcome": row.outcome,
        "detail": json.loads(row.detail) if row.detail else None,
        "certainty": row.certainty,
        "verdict": row.verdict,
        "because": row.because,
        "next_attempt_at": _time(row.next_at),
        "closed_by": row.closed_by,
        "late_outcome": row.late_outcome,
    }


def _time(instant: Millis | None) -> str | None:
    return None if instant is None else as_text(instant)
