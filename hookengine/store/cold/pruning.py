"""Deleting what ended long ago.

In two steps. `find` looks, which may take long where much is kept for other reasons, and locks nothing.
`remove` locks what was found, passing over what another transaction has locked, and looks at it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Column, Connection, Select, case, delete, exists, or_, select, update

from hookengine.domain.clock import Millis
from hookengine.domain.retry import DAY
from hookengine.store.cold.tables import ACTION, ATTEMPT, DELIVERY, EVENT, GATE, LANE, REQUEST

Key = TypeVar("Key", int, str)

GATE_KEPT: Millis = DAY


class Horizon(NamedTuple):
    """What ended at these times, or before, is deleted; `now` is when this is asked."""

    delivered: Millis
    failed: Millis
    now: Millis


class Found(NamedTuple):
    """Keys. `laneless` are deliveries that never took a lane, `events` and `actions` those without any."""

    lanes: Collection[int]
    laneless: Collection[str]
    events: Collection[str]
    actions: Collection[int]
    gates: Collection[str]


def prune(connection: Connection, horizon: Horizon, limit: int) -> int:
    return remove(connection, find(connection, horizon, limit), horizon, limit)


def find(connection: Connection, horizon: Horizon, limit: int) -> Found:
    """At most `limit` of each kind, the oldest."""
    queries = (_lanes, _laneless, _events, _actions, _gates)
    return Found(*(connection.execute(query(horizon).limit(limit)).scalars().all() for query in queries))


def remove(connection: Connection, found: Found, horizon: Horizon, limit: int) -> int:
    """At most `limit` rows of each kind; how many of the most frequent kind went.

    A lane goes with its last delivery: without its newest position an older event could get out again.
    """
    lanes = _lock(connection, LANE.c.id, _lanes(horizon), found.lanes, limit)
    of_lanes = _of_lanes(connection, lanes, limit)
    laneless = _lock(connection, DELIVERY.c.id, _laneless(horizon), found.laneless, limit)
    without = {*found.events, *_delete_deliveries(connection, [*of_lanes, *laneless])}
    gone = [len(of_lanes), len(laneless), _delete_lanes(connection, lanes, set(of_lanes.values()))]
    events = _lock(connection, EVENT.c.id, _events(horizon), without, limit)
    idle = {*found.actions, *_delete_events(connection, events)}
    actions = _lock(connection, ACTION.c.first_seq, _actions(horizon), idle, limit)
    _delete(connection, ACTION.c.first_seq, actions)
    gates = _lock(connection, GATE.c.key, _gates(horizon), found.gates, limit)
    _delete(connection, GATE.c.key, gates)
    return max(*gone, len(events), len(actions), len(gates))


def _lanes(horizon: Horizon) -> Select[Any]:
    """Lanes at rest; each of their deliveries ended long enough ago."""
    latest = case((DELIVERY.c.status == "failed", horizon.failed), else_=horizon.delivered)
    kept = exists().where(
        DELIVERY.c.lane_id == LANE.c.id,
        or_(DELIVERY.c.ended_at.is_(None), DELIVERY.c.ended_at > latest),
    )
    return (
        select(LANE.c.id)
        .where(
            LANE.c.head_id.is_(None),
            LANE.c.due_at <= max(horizon.delivered, horizon.failed),
            LANE.c.doubt_until <= horizon.delivered,
            ~kept,
        )
        .order_by(LANE.c.due_at)
    )


def _laneless(horizon: Horizon) -> Select[Any]:
    return (
        select(DELIVERY.c.id)
        .where(DELIVERY.c.lane_id.is_(None), DELIVERY.c.ended_at <= horizon.failed)
        .order_by(DELIVERY.c.ended_at)
    )


def _events(horizon: Horizon) -> Select[Any]:
    owed = exists().where(DELIVERY.c.event_id == EVENT.c.id)
    return (
        select(EVENT.c.id)
        .where(EVENT.c.accepted_at <= horizon.delivered, ~owed)
        .order_by(EVENT.c.accepted_at)
    )


def _actions(horizon: Horizon) -> Select[Any]:
    heard_of = exists().where(EVENT.c.action_seq == ACTION.c.first_seq)
    return (
        select(ACTION.c.first_seq)
        .where(ACTION.c.updated_at <= horizon.delivered, ~heard_of)
        .order_by(ACTION.c.updated_at)
    )


def _gates(horizon: Horizon) -> Select[Any]:
    """Gates that hold nothing back any more."""
    waited_for = exists().where(LANE.c.waits_for == GATE.c.key)
    return select(GATE.c.key).where(
        GATE.c.updated_at < horizon.now - GATE_KEPT, GATE.c.open_at <= horizon.now, ~waited_for
    )


def _lock(
    connection: Connection, key: Column[Any], query: Select[Any], among: Collection[Key], limit: int
) -> list[Key]:
    """Those that the query still finds, and nobody else has locked."""
    if not among:
        return []
    locking = query.where(key.in_(among)).limit(limit).with_for_update(skip_locked=True)
    return list(connection.execute(locking).scalars())


def _of_lanes(connection: Connection, lanes: Collection[int], limit: int) -> Mapping[str, int]:
    """Deliveries of these lanes, and their lanes: of one that has too many, some."""
    if not lanes:
        return {}
    rows = connection.execute(
        select(DELIVERY.c.id, DELIVERY.c.lane_id)
        .where(DELIVERY.c.lane_id.in_(lanes), DELIVERY.c.ended_at.is_not(None))
        .limit(limit)
    )
    return {row[0]: row[1] for row in rows}


def _delete_deliveries(connection: Connection, ids: Collection[str]) -> Iterable[str]:
    """The ids of their events."""
    if not ids:
        return ()
    _delete(connection, ATTEMPT.c.delivery_id, ids)
    _delete(connection, REQUEST.c.id, ids)
    return connection.execute(
        delete(DELIVERY).where(DELIVERY.c.id.in_(ids)).returning(DELIVERY.c.event_id)
    ).scalars()


def _delete_lanes(connection: Connection, lanes: Collection[int], touched: Collection[int]) -> int:
    """How many went: those that have no delivery any more."""
    if not lanes:
        return 0
    left = exists().where(DELIVERY.c.lane_id == LANE.c.id)
    kept = set(connection.execute(select(LANE.c.id).where(LANE.c.id.in_(lanes), left)).scalars())
    _delete(connection, LANE.c.id, [lane_id for lane_id in lanes if lane_id not in kept])
    shown = [lane_id for lane_id in kept if lane_id in touched]
    if shown:  # what they show may be gone already, and with it what a repair would send
        connection.execute(update(LANE).where(LANE.c.id.in_(shown)).values(shown_id=None))
    return len(lanes) - len(kept)


def _delete_events(connection: Connection, ids: Collection[str]) -> Iterable[int]:
    """The numbers of their actions."""
    if not ids:
        return ()
    return connection.execute(
        delete(EVENT).where(EVENT.c.id.in_(ids)).returning(EVENT.c.action_seq)
    ).scalars()


def _delete(connection: Connection, key: Column[Any], values: Collection[Any]) -> None:
    if values:
        connection.execute(delete(key.table).where(key.in_(values)))
