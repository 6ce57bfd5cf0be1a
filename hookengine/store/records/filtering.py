"""What is wanted, as conditions of a query."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, func, or_, select

from hookengine.domain.clock import Millis
from hookengine.domain.event import key_of
from hookengine.domain.retry import HOUR
from hookengine.store.cold.tables import ACTION, ATTEMPT, DELIVERY, EVENT, HOOK, HOOK_REVISION, LANE, PIPELINE
from hookengine.store.records.values import inside
from hookengine.store.records.wanted import KEPT_AS, Seen, Wanted

_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
_HEX: Final = frozenset("0123456789abcdef")
_SHORTEST_HASH: Final = 7
_FREQUENT: Final = frozenset({"queued", "delivered", "superseded"})
_SKEW: Final[Millis] = HOUR
"""By how much the clock that ids are made by may differ from the one that acceptance goes by."""

Condition = ColumnElement[bool]
Matches = Callable[[Connection, Sequence[str], Seen], Condition]
"""Of a field, for the values one of which it must have."""


def conditions(connection: Connection, wanted: Wanted) -> list[Condition]:
    """Over deliveries joined with their last attempts, lanes, events and actions."""
    found = [_FIELDS[name](connection, values, wanted.seen) for name, values in wanted.terms.items()]
    found += seen_by(wanted.seen)
    accepted = DELIVERY.c.accepted_at
    if wanted.since is not None:  # ids tell the time too, and they are what the list is ordered by
        found += [accepted >= wanted.since, DELIVERY.c.id >= id_at(wanted.since - _SKEW)]
    if wanted.until is not None:
        found += [accepted < wanted.until, DELIVERY.c.id < id_at(wanted.until + _SKEW)]
    return found


def seen_by(seen: Seen) -> list[Condition]:
    """Over actions."""
    return [] if seen is None else [ACTION.c.pipeline_id.in_(seen)]


def id_at(instant: Millis) -> str:
    """The lowest id a delivery can have that is made then."""
    return f"dlv_{max(0, min(instant, (1 << 48) - 1)):012x}"


def those_called(connection: Connection, reference: int | str, seen: Seen = None) -> set[int]:
    """As `pipelines_called`; a number that is neither may be that of one that was deleted."""
    if isinstance(reference, int):
        return {reference}
    return set(connection.scalars(pipelines_called([reference], seen))) or set(_numbers([reference]))


def event_keys(
    connection: Connection, event_ids: Sequence[str], pipelines: Collection[int] | None = None
) -> list[str]:
    """The keys of events of these ids, on these pipelines or, None, on all that ever had one."""
    if pipelines is not None:
        return [key_of(pipeline_id, event_id) for pipeline_id in pipelines for event_id in event_ids]
    return [key for event_id in event_ids for key in connection.scalars(_keys(event_id)) if key is not None]


def _keys(event_id: str) -> Select[Any]:
    """One look into the index for each pipeline: what is selected, no database turns into a join."""
    first = select(func.min(ACTION.c.pipeline_id).label("id")).cte("had", recursive=True)
    after = select(func.min(ACTION.c.pipeline_id)).where(ACTION.c.pipeline_id > first.c.id)
    had = first.union_all(select(after.scalar_subquery()).where(first.c.id.is_not(None)))
    key = cast(had.c.id, String).concat(f":{event_id}")
    return select(select(EVENT.c.id).where(EVENT.c.id == key).scalar_subquery()).select_from(had)


def pipelines_called(values: Sequence[str], seen: Seen = None) -> Any:
    """A query for the ids of the pipelines of these ids or names. What one that is `seen` has for its id is not
    taken for another one's name."""
    visible = [] if seen is None else [PIPELINE.c.id.in_(seen)]
    numbers = _numbers(values)
    by_id = select(PIPELINE.c.id).where(PIPELINE.c.id.in_(numbers), *visible)
    if not numbers:
        return select(PIPELINE.c.id).where(PIPELINE.c.name.in_(values), *visible)
    taken = select(cast(by_id.subquery().c.id, String))
    by_name = PIPELINE.c.name.in_(values) & PIPELINE.c.name.not_in(taken)
    return select(PIPELINE.c.id).where(or_(PIPELINE.c.id.in_(numbers), by_name), *visible)


def _numbers(values: Sequence[str]) -> list[int]:
    """Those that are written as an id is."""
    return [int(value) for value in values if _ID.fullmatch(value)]


def of_commit(column: ColumnElement[Any], values: Sequence[str]) -> Condition:
    """Whole hashes, or how they begin."""
    return column.is_not(None) & or_(*(_hash(column, value.lower()) for value in values))


def _hash(column: ColumnElement[Any], value: str) -> Condition:
    if len(value) >= _SHORTEST_HASH and _HEX.issuperset(value):
        return and_(column >= value, column < value + "g")
    return column == value


def _in(column: ColumnElement[Any]) -> Matches:
    return lambda connection, values, seen: column.in_(values)


def _status(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    """What many deliveries have is met soon on the way from the newest one backwards. The index of statuses would
    find all of them first, to be sorted: seconds for a million."""
    if _FREQUENT.isdisjoint(values):
        return DELIVERY.c.status.in_(values)
    return DELIVERY.c.status.concat("").in_(values)


def _host(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    return DELIVERY.c.host.in_([value.lower() for value in values])


def _hook(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    """Names are those that hooks have now."""
    running = (
        select(HOOK.c.id, HOOK_REVISION.c.document)
        .join(
            HOOK_REVISION,
            (HOOK_REVISION.c.hook_id == HOOK.c.id) & (HOOK_REVISION.c.revision == HOOK.c.revision),
        )
        .where(HOOK.c.revision > 0)
    )
    named = [row.id for row in connection.execute(running) if json.loads(row.document)["name"] in values]
    return DELIVERY.c.hook_id.in_({*values, *named})


def _pipeline(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    return ACTION.c.pipeline_id.in_(pipelines_called(values, seen))


def _action(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    everywhere = ACTION.c.pipeline_id.in_(select(PIPELINE.c.id))  # so that an index finds the action
    actions = select(ACTION.c.first_seq).where(everywhere, ACTION.c.action_id.in_(values))
    return DELIVERY.c.event_id.in_(select(EVENT.c.id).where(EVENT.c.action_seq.in_(actions)))


def _event(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    return DELIVERY.c.event_id.in_(event_keys(connection, values))


def _lane(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    return DELIVERY.c.lane_id.in_(select(LANE.c.id).where(LANE.c.key.in_(values)))


def _sha(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    return DELIVERY.c.lane_id.in_(select(LANE.c.id).where(of_commit(LANE.c.sha, values)))


def _code(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    status = inside(connection, ATTEMPT.c.detail, "status")
    found: list[Condition] = []
    for value in values:
        if value == "none":
            found.append(or_(ATTEMPT.c.outcome.is_(None), ATTEMPT.c.outcome != "Answered"))
        else:
            found.append(and_(ATTEMPT.c.outcome == "Answered", status.like(value.replace("x", "_"))))
    return or_(*found)


def _outcome(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    """What could not be rendered takes no lane and has no attempt."""
    wanted = {KEPT_AS[value.lower()] for value in values}
    found: list[Condition] = [ATTEMPT.c.outcome.in_(wanted)]
    if "Unrenderable" in wanted:
        found.append(DELIVERY.c.lane_id.is_(None))
    if "" in wanted:
        found.append(and_(ATTEMPT.c.outcome.is_(None), DELIVERY.c.lane_id.is_not(None)))
    return or_(*found)


def _because(connection: Connection, values: Sequence[str], seen: Seen) -> Condition:
    parts = [DELIVERY.c.because.icontains(value, autoescape=True) for value in values]
    return and_(*parts)


_FIELDS: Final[Mapping[str, Matches]] = {
    "status": _status,
    "hook": _hook,
    "pipeline": _pipeline,
    "host": _host,
    "lane": _lane,
    "sha": _sha,
    "code": _code,
    "outcome": _outcome,
    "event": _event,
    "type": _in(EVENT.c.type),
    "action": _action,
    "replay_of": _in(DELIVERY.c.replay_of),
    "because": _because,
}
