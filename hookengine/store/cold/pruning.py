"""Deleting what ended long ago, one kind of thing after the other.

In two steps. `find` looks, which may take long where much is kept for other reasons, and locks nothing.
`remove` locks what was found, passing over what another transaction has locked, and looks at it again.
Oldest first, and each time from where the last one left off: what is kept is looked at once or twice, not
each time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    case,
    delete,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from hookengine.domain.clock import Millis
from hookengine.domain.retry import DAY
from hookengine.failpoints import reach
from hookengine.store.care import Horizon, LeftOff, Pruned
from hookengine.store.cold.tables import (
    ACTION,
    ATTEMPT,
    CAPTURE,
    DELIVERY,
    EVENT,
    GATE,
    LANE,
    REPLAY,
    REQUEST,
)

Key = TypeVar("Key", int, str)

GATE_KEPT: Final[Millis] = DAY


class _Kind(NamedTuple):
    """Which things, by which key and which time of theirs; how many rows of a kind go with these keys."""

    key: Column[Any]
    time: Column[Any]
    old: Callable[[Horizon], Select[Any]]
    remove: Callable[[Connection, Sequence[Any], Horizon, int], int]


class Found(NamedTuple):
    """Keys of one kind of thing, and their times."""

    place: LeftOff
    keys: Sequence[Any]
    times: Sequence[Millis]
    full: bool


def find(connection: Connection, horizon: Horizon, limit: int, place: LeftOff) -> Found:
    kind = _KINDS[place[0]]
    query = kind.old(horizon).add_columns(kind.time).where(kind.time >= place[1])
    rows = connection.execute(query.order_by(kind.time).limit(limit)).all()
    return Found(place, [row[0] for row in rows], [row[1] for row in rows], len(rows) == limit)


def remove(connection: Connection, found: Found, horizon: Horizon, limit: int) -> Pruned:
    """A lane goes with its last delivery: without its newest position an older event could get out again."""
    kind = _KINDS[found.place[0]]
    locked = _lock(connection, kind.key, kind.old(horizon), found.keys, limit)
    gone = kind.remove(connection, locked, horizon, limit)
    reach("prune.before_commit")
    return pruned(found, gone, limit)


def pruned(found: Found, gone: int, limit: int) -> Pruned:
    kind, since = found.place
    if found.keys and gone == 0:
        since = found.times[-1] + 1  # others have locked it all
    elif found.keys:
        since = found.times[0]
    if found.full or gone >= limit:  # of a lane with too many deliveries some are left
        return Pruned(rows=gone, left_off=(kind, since))
    return Pruned(rows=gone, left_off=(kind + 1, 0) if kind + 1 < len(_KINDS) else None)


def _lanes(horizon: Horizon) -> Select[Any]:
    """Lanes at rest; each of their deliveries ended long enough ago."""
    newest = case((DELIVERY.c.status == "failed", horizon.failed), else_=horizon.delivered)
    kept = or_(DELIVERY.c.ended_at.is_(None), DELIVERY.c.ended_at > newest)
    return select(LANE.c.id).where(
        LANE.c.head_id.is_(None),
        LANE.c.due_at <= max(horizon.delivered, horizon.failed),
        LANE.c.doubt_until <= horizon.delivered,
        _no(DELIVERY, DELIVERY.c.lane_id == LANE.c.id, kept),
    )


def _without_lane(horizon: Horizon) -> Select[Any]:
    return select(DELIVERY.c.id).where(DELIVERY.c.lane_id.is_(None), DELIVERY.c.ended_at <= horizon.failed)


def _events(horizon: Horizon) -> Select[Any]:
    """Events that owe nothing any more, or never did."""
    return select(EVENT.c.id).where(
        EVENT.c.accepted_at <= horizon.delivered, _no(DELIVERY, DELIVERY.c.event_id == EVENT.c.id)
    )


def _actions(horizon: Horizon) -> Select[Any]:
    """Actions of which no event is known any more."""
    return select(ACTION.c.first_seq).where(
        ACTION.c.updated_at <= horizon.delivered, _no(EVENT, EVENT.c.action_seq == ACTION.c.first_seq)
    )


def _gates(horizon: Horizon) -> Select[Any]:
    """Gates that hold nothing back any more."""
    return select(GATE.c.key).where(
        GATE.c.updated_at < horizon.now - GATE_KEPT,
        GATE.c.open_at <= horizon.now,
        _no(LANE, LANE.c.waits_for == GATE.c.key),
    )


def _replays(horizon: Horizon) -> Select[Any]:
    """Replays of many that have ended."""
    return select(REPLAY.c.id).where(REPLAY.c.ended_at <= horizon.failed)


def _no(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is no such row. Asked by index for each row of the query: given NOT EXISTS, PostgreSQL may
    read both tables from end to end, however little of them is old."""
    found: Select[Any] = select(literal_column("1")).select_from(table).where(*conditions).limit(1)
    return found.scalar_subquery().is_(None)


def _lock(
    connection: Connection, key: Column[Any], query: Select[Any], among: Collection[Key], limit: int
) -> list[Key]:
    """Those that the query finds now, and nobody else has locked."""
    if not among:
        return []
    locking = query.where(key.in_(among)).limit(limit).with_for_update(skip_locked=True)
    return list(connection.execute(locking).scalars().all())


def _remove_lanes(connection: Connection, lanes: Sequence[int], horizon: Horizon, limit: int) -> int:
    lane_of = _of_lanes(connection, lanes, limit)
    _remove_deliveries(connection, list(lane_of), horizon, limit)
    return max(len(lane_of), _delete_lanes(connection, lanes, set(lane_of.values())))


def _remove_deliveries(connection: Connection, ids: Sequence[str], horizon: Horizon, limit: int) -> int:
    if not ids:
        return 0
    _delete(connection, ATTEMPT.c.delivery_id, ids)
    _delete(connection, REQUEST.c.id, ids)
    events = _delete(connection, DELIVERY.c.id, ids, DELIVERY.c.event_id)
    _remove_events(connection, _lock(connection, EVENT.c.id, _events(horizon), events, limit), horizon, limit)
    return len(ids)


def _remove_events(connection: Connection, ids: Sequence[str], horizon: Horizon, limit: int) -> int:
    actions = _delete(connection, EVENT.c.id, ids, EVENT.c.action_seq)
    unheard_of = _lock(connection, ACTION.c.first_seq, _actions(horizon), actions, limit)
    _delete(connection, ACTION.c.first_seq, unheard_of)
    return len(ids)


def _remove_actions(connection: Connection, ids: Sequence[int], horizon: Horizon, limit: int) -> int:
    return len(_delete(connection, ACTION.c.first_seq, ids))


def _remove_gates(connection: Connection, keys: Sequence[str], horizon: Horizon, limit: int) -> int:
    return len(_delete(connection, GATE.c.key, keys))


def _remove_replays(connection: Connection, ids: Sequence[str], horizon: Horizon, limit: int) -> int:
    return len(_delete(connection, REPLAY.c.id, ids))


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


def _delete_lanes(connection: Connection, lanes: Collection[int], touched: Collection[int]) -> int:
    """How many went: those that have no delivery any more."""
    if not lanes:
        return 0
    left = exists().where(DELIVERY.c.lane_id == LANE.c.id)
    kept = set(connection.execute(select(LANE.c.id).where(LANE.c.id.in_(lanes), left)).scalars().all())
    gone = [lane_id for lane_id in lanes if lane_id not in kept]
    _delete(connection, CAPTURE.c.lane_id, gone)
    _delete(connection, LANE.c.id, gone)
    shown = [lane_id for lane_id in kept if lane_id in touched]
    if shown:  # what they show may be gone already, and with it what a repair would send
        connection.execute(update(LANE).where(LANE.c.id.in_(shown)).values(shown_id=None))
    return len(lanes) - len(kept)


def _delete(
    connection: Connection, key: Column[Any], values: Collection[Any], then: Column[Any] | None = None
) -> Collection[Any]:
    """What the deleted rows have in column `then`, each once; by default their keys."""
    if not values:
        return ()
    returned = key if then is None else then
    deleted = delete(key.table).where(key.in_(values)).returning(returned)
    return set(connection.execute(deleted).scalars().all())


_KINDS: Final = (
    _Kind(LANE.c.id, LANE.c.due_at, _lanes, _remove_lanes),
    _Kind(DELIVERY.c.id, DELIVERY.c.ended_at, _without_lane, _remove_deliveries),
    _Kind(EVENT.c.id, EVENT.c.accepted_at, _events, _remove_events),
    _Kind(ACTION.c.first_seq, ACTION.c.updated_at, _actions, _remove_actions),
    _Kind(GATE.c.key, GATE.c.updated_at, _gates, _remove_gates),
    _Kind(REPLAY.c.id, REPLAY.c.ended_at, _replays, _remove_replays),
)
