"""Lanes, deliveries and gates as rows: the order of the columns, there and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.gate import Gate
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Lane
from hookengine.store.books.steps import Original

Row = Sequence[Any]

LANE = (
    "id, key, policy, head_id, due_at, waits_for, token, not_before, next_seq, scope,"
    " newest_number, newest_first, newest_rank, newest_seq, shown_id, shown_digest, cleared_to, doubt_until"
)
LANE_CHANGES = tuple(LANE.replace(" ", "").split(",")[3:])
DELIVERY_CHANGES = (
    "status",
    "attempts",
    "strikes",
    "cancel_asked",
    "doubt_until",
    "superseded_by",
    "because",
    "ended_at",
)
DELIVERY = (
    "id, event_id, hook_id, hook_revision, request_id, digest, host, account, rate, number, first_seq, rank,"
    f" seq, accepted_at, part, provides, replay_of, repair_of, {', '.join(DELIVERY_CHANGES)}"
)
GATE = "key, open_at, failures, trips, probed_at, recovering_since, passed"

ORIGINAL = f"""
SELECT {", ".join(f"d.{name.strip()}" for name in DELIVERY.split(","))},
    r.document, d.lane_id, l.policy, a.pipeline_id
FROM delivery d LEFT JOIN request r ON r.id = d.request_id LEFT JOIN lane l ON l.id = d.lane_id
LEFT JOIN event e ON e.id = d.event_id LEFT JOIN action a ON a.first_seq = e.action_seq
"""
"""What a replay must know of a delivery, each by its key."""

_POLICIES = {str(policy): policy for policy in LanePolicy}
_STATUSES = {str(status): status for status in DeliveryStatus}
_RANKS = {int(rank): rank for rank in Rank}

_FIELDS = {"event_id": "event_key", "rank": "rank._value_", "status": "status._value_"}
"""Of a delivery, for columns that are called or written otherwise."""


def _fields(columns: Iterable[str]) -> attrgetter[tuple[Any, ...]]:
    return attrgetter(*(_FIELDS.get(column, column) for column in columns))


_DELIVERY_VALUES = _fields(DELIVERY.replace(" ", "").split(","))
_DELIVERY_CHANGES = _fields((*DELIVERY_CHANGES, "id"))
_BEFORE_NEWEST, _AFTER_NEWEST = _fields(LANE_CHANGES[:7]), _fields((*LANE_CHANGES[11:], "id"))
_NO_NEWEST = (None, None, None, None)


def lane_from(row: Row) -> Lane:
    newest = None if row[13] is None else (row[10], row[11], row[12], row[13])
    return Lane(
        id=row[0],
        key=row[1],
        policy=_POLICIES[row[2]],
        head_id=row[3],
        due_at=row[4],
        waits_for=row[5],
        token=row[6],
        not_before=row[7],
        next_seq=row[8],
        scope=row[9],
        newest=newest,
        shown_id=row[14],
        shown_digest=row[15],
        cleared_to=row[16],
        doubt_until=row[17],
    )


def lane_changes(lane: Lane) -> tuple[Any, ...]:
    """In the order of LANE_CHANGES, then the id."""
    return (*_BEFORE_NEWEST(lane), *(lane.newest or _NO_NEWEST), *_AFTER_NEWEST(lane))


def delivery_from(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        event_key=row[1],
        hook_id=row[2],
        hook_revision=row[3],
        request_id=row[4],
        digest=row[5],
        host=row[6],
        account=row[7],
        rate=row[8],
        number=row[9],
        first_seq=row[10],
        rank=_RANKS[row[11]],
        seq=row[12],
        accepted_at=row[13],
        part=row[14],
        provides=row[15],
        replay_of=row[16],
        repair_of=row[17],
        status=_STATUSES[row[18]],
        attempts=row[19],
        strikes=row[20],
        cancel_asked=bool(row[21]),
        doubt_until=row[22],
        superseded_by=row[23],
        because=row[24],
        ended_at=row[25],
    )


def original_from(row: Row) -> Original:
    """Of a row of ORIGINAL."""
    request, lane_id, policy, pipeline_id = row[26:30]
    return Original(
        delivery=delivery_from(row),
        request=request,
        lane_id=lane_id,
        policy=None if policy is None else _POLICIES[policy],
        pipeline_id=pipeline_id,
    )


def delivery_values(row: Delivery, lane_id: int | None) -> tuple[Any, ...]:
    """In the order of DELIVERY, then the lane."""
    return (*_DELIVERY_VALUES(row), lane_id)


def delivery_changes(row: Delivery) -> tuple[Any, ...]:
    """In the order of DELIVERY_CHANGES, then the id."""
    changes: tuple[Any, ...] = _DELIVERY_CHANGES(row)
    return changes


def gate_from(row: Row) -> Gate:
    return Gate(
        key=row[0],
        open_at=row[1],
        failures=row[2],
        trips=row[3],
        probed_at=row[4],
        recovering_since=row[5],
        passed=json.loads(row[6]) if row[6] else [],
    )


def gate_values(gate: Gate, now: Millis) -> tuple[Any, ...]:
    """In the order of GATE, then `now`."""
    passed = json.dumps(gate.passed) if gate.passed else ""
    return (
        *(gate.key, gate.open_at, gate.failures, gate.trips, gate.probed_at, gate.recovering_since),
        *(passed, now),
    )
