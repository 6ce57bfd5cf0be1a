"""Events, and what is needed to tell which hooks they matched."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, tuple_

from hookengine.domain import views
from hookengine.domain.clock import Millis
from hookengine.domain.event import Event, id_in
from hookengine.errors import InvalidQuery, NotFound
from hookengine.store.cold.tables import ACTION, DELIVERY, EVENT
from hookengine.store.records import deliveries
from hookengine.store.records.filtering import Condition, event_keys, pipelines_called, seen_by, those_called
from hookengine.store.records.values import cut, time
from hookengine.store.records.wanted import Page, Seen

MOST_DELIVERIES = 500
MOST_EVENTS = 1000

_ORDER = (EVENT.c.accepted_at, EVENT.c.action_seq, EVENT.c.revision)
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEvents:
    """Every field that is set must match."""

    type: str | None = None
    pipeline: str | None = None
    action: str | None = None
    since: Millis | None = None
    until: Millis | None = None

    def conditions(self, seen: Seen) -> list[Condition]:
        found: list[Condition] = []
        if self.type is not None:
            found.append(EVENT.c.type == self.type)
        if self.pipeline is not None:
            found.append(ACTION.c.pipeline_id.in_(pipelines_called([self.pipeline], seen)))
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
) -> list[tuple[str, views.Event]]:
    """Newest first, each with where a list can go on. Ids are the platforms' own: what they are ordered by is when
    they were accepted."""
    query = _query().where(*wanted.conditions(seen), *seen_by(seen))
    if page.before is not None:
        place = _place(page.before)
        query = query.where(EVENT.c.accepted_at <= place[0], tuple_(*_ORDER) < place)
    newest_first = query.order_by(*(column.desc() for column in _ORDER)).limit(page.limit)
    return [
        (f"{row.accepted_at}.{row.action_seq}.{row.revision}", shown(row))
        for row in connection.execute(newest_first)
    ]


def of_action(connection: Connection, first_seq: int) -> list[views.Event]:
    """In the order in which they were accepted; one more than `MOST_EVENTS` if there are more."""
    query = _query().where(EVENT.c.action_seq == first_seq).order_by(EVENT.c.revision)
    return [shown(row) for row in connection.execute(query.limit(MOST_EVENTS + 1))]


def one(
    connection: Connection, event_id: str, pipeline: int | str | None, seen: Seen = None
) -> views.EventDetails:
    """With its data and the deliveries it owes. Raises NotFound, and InvalidQuery where several pipelines have one
    of this id."""
    row = _row(connection, event_id, pipeline, seen)
    owed = deliveries.those(connection, DELIVERY.c.event_id == row.id, limit=MOST_DELIVERIES + 1)
    return {
        **shown(row),
        "data": json.loads(row.document),
        "deliveries": owed[:MOST_DELIVERIES],
        "more": cut(deliveries=(owed, MOST_DELIVERIES)),
    }


def told(connection: Connection, event_id: str, pipeline: int | str | None, seen: Seen = None) -> Told:
    """Raises NotFound, and InvalidQuery where several pipelines have one of this id."""
    row = _row(connection, event_id, pipeline, seen)
    query = _query().where(EVENT.c.action_seq == row.action_seq, EVENT.c.revision < row.revision)
    before = connection.execute(query.order_by(EVENT.c.revision).limit(MOST_EVENTS)).all()
    return Told(
        event=_event(row),
        accepted_at=row.accepted_at,
        pipeline_id=row.pipeline_id,
        before=tuple(_event(each) for each in before),
    )


def shown(row: Row[Any]) -> views.Event:
    answer = json.loads(row.answer)
    return {
        "id": id_in(row.id),
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


def _row(connection: Connection, event_id: str, pipeline: int | str | None, seen: Seen) -> Row[Any]:
    pipelines = seen if pipeline is None else those_called(connection, pipeline, seen)
    keys = event_keys(connection, [event_id], pipelines)
    rows = connection.execute(_query().where(EVENT.c.id.in_(keys), *seen_by(seen))).all()
    if not rows:
        raise NotFound("event", event_id)
    if len(rows) > 1:
        ids = ", ".join(str(row.pipeline_id) for row in sorted(rows, key=lambda row: row.pipeline_id))
        raise InvalidQuery(
            {"pipeline": [f"Several pipelines have an event {event_id}: say which, of {ids}."]}
        )
    return rows[0]


def _event(row: Row[Any]) -> Event:
    data = json.loads(row.document)
    return Event(
        id=id_in(row.id),
        type=row.type,
        occurred_at=row.occurred_at,
        action_id=data.get("action", {}).get("id", row.action_id),
        pipeline=row.pipeline_id,
        number=None,
        data=data,
    )


def _place(before: str) -> tuple[int, ...]:
    """As one stands in `_ORDER`."""
    numbers = before.split(".")
    if len(numbers) != len(_ORDER) or not all(map(_NUMBER.fullmatch, numbers)):
        raise InvalidQuery({"before": ["This is not where a list has ended: give the `next` of one."]})
    return tuple(map(int, numbers))
