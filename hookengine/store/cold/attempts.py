"""What a hook has sent, attempt by attempt."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, func, select

from hookengine.domain.request import RenderedRequest
from hookengine.store.care import SentRequest
from hookengine.store.cold.tables import ACTION, ATTEMPT, DELIVERY, EVENT, REQUEST


def of_hook(
    connection: Connection, hook_id: str, offset: int, limit: int
) -> tuple[int, tuple[SentRequest, ...]]:
    """How many there are, and some of them, the newest delivery first."""
    total = connection.scalar(
        select(func.count())
        .select_from(ATTEMPT)
        .join(DELIVERY, DELIVERY.c.id == ATTEMPT.c.delivery_id)
        .where(DELIVERY.c.hook_id == hook_id)
    )
    query = (
        _query()
        .where(DELIVERY.c.hook_id == hook_id)
        .order_by(DELIVERY.c.id.desc(), ATTEMPT.c.number.desc())
        .offset(offset)
        .limit(limit)
    )
    return int(total or 0), tuple(_sent(row) for row in connection.execute(query))


def one(connection: Connection, delivery_id: str, number: int) -> SentRequest | None:
    query = _query().where(ATTEMPT.c.delivery_id == delivery_id, ATTEMPT.c.number == number)
    row = connection.execute(query).first()
    return None if row is None else _sent(row)


def _query() -> Select[Any]:
    return (
        select(
            ATTEMPT.c.delivery_id,
            ATTEMPT.c.number,
            DELIVERY.c.hook_id,
            ACTION.c.action_id,
            ATTEMPT.c.started_at,
            ATTEMPT.c.finished_at,
            ATTEMPT.c.outcome,
            ATTEMPT.c.detail,
            REQUEST.c.document,
        )
        .join(DELIVERY, DELIVERY.c.id == ATTEMPT.c.delivery_id)
        .join(EVENT, EVENT.c.id == DELIVERY.c.event_id, isouter=True)
        .join(ACTION, ACTION.c.first_seq == EVENT.c.action_seq, isouter=True)
        .join(REQUEST, REQUEST.c.id == DELIVERY.c.request_id, isouter=True)
    )


def _sent(row: Any) -> SentRequest:
    return SentRequest(
        delivery_id=row[0],
        attempt=row[1],
        hook_id=row[2],
        action_id=row[3],
        started_at=row[4],
        finished_at=row[5],
        outcome=row[6],
        detail=json.loads(row[7]) if row[7] else {},
        request=None if row[8] is None else RenderedRequest.from_json(row[8]),
    )
