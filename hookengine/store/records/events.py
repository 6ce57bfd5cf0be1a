"""Events, and what is needed to tell which hooks they matched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select

from hookengine.domain.clock import Millis
from hookengine.domain.event import Event
from hookengine.errors import InvalidQuery, NotFound
from hookengine.store.cold.tables import ACTION, DELIVERY, EVENT
from hookengine.store.records import deliveries
from hookengine.store.records.filtering import Condition, pipelines_called, seen_by
from hookengine.store.records.values import time
from hookengine.store.records.wanted import Page, Seen

MOST_DELIVERIES = 500
MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEvents:
    """Every field that is set must match."""

    type: str | None = None
    pipeline: str | None = None
    action: str | None = None
    since: Millis | None = None
    until: Millis | None = None

    def conditions(self) -> list[Condition]:
        found: list[Condition] = []
        if self.type is not None:
            found.append(EVENT.c.type == self.type)
        if self.pipeline is not None:
            found.append(ACTION.c.pipeline_id.in_(pipelines_called([self.pipeline])))
        if self.action is not None:
            found.append(ACTION.c.action_id == self.action)
        if self.since is not None:
            found.append(EVENT.c.accepted_at >= self.since)
        if self.until is not None:
            found.append(EVENT.c.accepted_at < self.until)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event of the past: `before` are the data of the action's events before it, in order."""

    event: Event
    accepted_at: Millis
    pipeline_id: int
    before: tuple[Event, ...]


def listed(
    connection: Connection, wanted: WantedEvents, page: Page, seen: Seen = None
) -> list[dict[str, Any]]:
    """Newest first. Ids are the platforms' own: what they are ordered by is when they were accepted."""
    query = _query().where(*wanted.conditions(), *seen_by(seen))
    if page.before is not None:
        accepted_at, event_id = _place(page.before)
        earlier = and_(EVENT.c.accepted_at == accepted_at, EVENT.c.id < event_id)
        query = query.where(EVENT.c.accepted_at <= accepted_at).where(
            or_(EVENT.c.accepted_at < accepted_at, earlier)
        )
    newest_first = query.order_by(EVENT.c.accepted_at.desc(), EVENT.c.id.desc()).limit(page.limit)
    return [
        {**shown(row), "place": f"{row.accepted_at}.{row.id}"} for row in connection.execute(newest_first)
    ]


def of_action(connection: Connection, first_seq: int) -> list[dict[str, Any]]:
    """In the order in which they were accepted."""
    query = _query().where(EVENT.c.action_seq == first_seq).order_by(EVENT.c.accepted_at, EVENT.c.id)
    return [shown(row) for row in connection.execute(query.limit(MOST_EVENTS))]


def one(connection: Connection, event_id: str, seen: Seen = None) -> dict[str, Any]:
    """With its data and the deliveries it owes. Raises NotFound."""
    row = _row(connection, event_id, seen)
    owed = deliveries.those(connection, DELIVERY.c.event_id == event_id, limit=MOST_DELIVERIES)
    return {**shown(row), "data": json.loads(row.document), "deliveries": owed}


def told(connection: Connection, event_id: str, seen: Seen = None) -> Told:
    """Raises NotFound."""
    row = _row(connection, event_id, seen)
    earlier = or_(
        EVENT.c.accepted_at < row.accepted_at,
        and_(EVENT.c.accepted_at == row.accepted_at, EVENT.c.id < row.id),
    )
    query = _query().where(EVENT.c.action_seq == row.action_seq, earlier)
    before = connection.execute(query.order_by(EVENT.c.accepted_at, EVENT.c.id).limit(MOST_EVENTS)).all()
    return Told(
        event=_event(row),
        accepted_at=row.accepted_at,
        pipeline_id=row.pipeline_id,
        before=tuple(_event(each) for each in before),
    )


def shown(row: Row[Any]) -> dict[str, Any]:
    answer = json.loads(row.answer)
    return {
        "id": row.id,
        "type": row.type,
        "action": answer.get("action"),
        "occurred_at": time(row.occurred_at),
        "accepted_at": time(row.accepted_at),
        "hooks": answer.get("hooks", []),
    }


def _query() -> Select[Any]:
    return select(EVENT, ACTION.c.pipeline_id, ACTION.c.action_id).join(
        ACTION, ACTION.c.first_seq == EVENT.c.action_seq
    )


def _row(connection: Connection, event_id: str, seen: Seen) -> Row[Any]:
    row = connection.execute(_query().where(EVENT.c.id == event_id, *seen_by(seen))).one_or_none()
    if row is None:
        raise NotFound("event", event_id)
    return row


def _event(row: Row[Any]) -> Event:
    data = json.loads(row.document)
    return Event(
        id=row.id,
        type=row.type,
        occurred_at=row.occurred_at,
        action_id=data.get("action", {}).get("id", row.action_id),
        pipeline=row.pipeline_id,
        number=None,
        data=data,
    )


def _place(before: str) -> tuple[Millis, str]:
    accepted_at, _, event_id = before.partition(".")
    if not (accepted_at.isascii() and accepted_at.isdigit() and len(accepted_at) < 16 and event_id):
        raise InvalidQuery({"before": ["This is not where a list has ended: give the `next` of one."]})
    return int(accepted_at), event_id
