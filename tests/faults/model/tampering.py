"""Ways to make a correct run incorrect, each with the invariants of which at least one must then be broken.

Each changes the run and says whether it could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

from tests.faults.history import Received
from tests.faults.history.facts import in_doubt
from tests.faults.model.protocol import SECOND, SETTLE
from tests.faults.model.rows import MutableRow
from tests.faults.model.run import Run

Tamper = Callable[[Run], bool]


def lose_an_event(run: Run) -> bool:
    return bool(run.events) and bool(run.events.pop())


def lose_a_delivery(run: Run) -> bool:
    promised = [row["id"] for row in run.deliveries.values() if row["repair_of"] is None]
    return bool(promised) and bool(run.deliveries.pop(promised[0]))


def lose_what_was_received(run: Run) -> bool:
    delivered = _first(run, lambda row: row["status"] == "delivered")
    run.received = [one for one in run.received if delivered is None or one.delivery != delivered["id"]]
    return delivered is not None


def lose_an_attempt(run: Run) -> bool:
    return bool(run.attempts) and bool(run.attempts.pop(0))


def owe_twice(run: Run) -> bool:
    row = _first(run, lambda row: row["repair_of"] is None)
    if row is not None:
        run.deliveries["dlv_twice"] = {**row, "id": "dlv_twice", "attempts": 0}
    return row is not None


def receive_what_nobody_owes(run: Run) -> bool:
    run.received += [replace(one, delivery="dlv_invented") for one in run.received[:1]]
    return bool(run.received)


def owe_what_nobody_emitted(run: Run) -> bool:
    known = {told.event_id for told in run.emitted}
    run.emitted = [told for told in run.emitted if told.event_id != min(known)] if known else []
    return any(row["id"] == min(known) for row in run.events) if known else False


def receive_again(run: Run) -> bool:
    """What had been taken for certain."""
    for row in run.deliveries.values():
        doubts = [in_doubt(one) for one in run.attempts if one["delivery_id"] == row["id"]]
        if row["status"] == "delivered" and not any(doubts):
            last = [one for one in run.received if one.delivery == row["id"]][-1]
            came = last.started_at + 60 * SECOND
            run.received.append(replace(last, number=999, started_at=came, ended_at=came + 1))
            return True
    return False


def swap_two_requests(run: Run) -> bool:
    """Of different deliveries in one lane; nobody stood still, whose bytes might come at any time."""
    for one, other in pairwise(run.received):
        if one.lane == other.lane and one.delivery != other.delivery and not run.pauses:
            first, second = run.received.index(one), run.received.index(other)
            run.received[first], run.received[second] = _when(one, other), _when(other, one)
            return True
    return False


def _when(one: Received, other: Received) -> Received:
    return replace(
        one, number=other.number, started_at=other.started_at, ended_at=other.ended_at, applied_at=None
    )


def change_a_body(run: Run) -> bool:
    for index, one in enumerate(run.received):
        if one.delivery in {earlier.delivery for earlier in run.received[:index]}:
            run.received[index] = replace(one, digest="another")
            return True
    return False


def be_too_early(run: Run) -> bool:
    for row in run.attempts:
        if row["number"] > 1:
            before = [one for one in run.attempts if one["delivery_id"] == row["delivery_id"]]
            before[row["number"] - 2]["next_at"] = row["started_at"] + 1
            return True
    return False


def keep_a_request_open(run: Run) -> bool:
    for one, other in pairwise(run.received):
        if one.lane == other.lane and one.status is not None and not run.pauses:
            run.received[run.received.index(one)] = replace(one, ended_at=None)
            run.received[run.received.index(other)] = replace(other, ended_at=other.started_at + 10)
            return True
    return False


def leave_one_behind(run: Run) -> bool:
    row = _first(run, lambda row: row["status"] == "delivered")
    if row is not None:
        row.update(status="retrying", ended_at=None)
    return row is not None


def supersede_the_newest(run: Run) -> bool:
    for lane in run.lanes.values():
        if lane["policy"] == "latest" and lane["newest"]["status"] in {"delivered", "cancelled", "failed"}:
            lane["newest"].update(status="superseded", because="")
            return True
    return False


def forget_an_end(run: Run) -> bool:
    row = _first(run, lambda row: row["ended_at"] is not None)
    if row is not None:
        row["ended_at"] = None
    return row is not None


def repair_without_a_doubt(run: Run) -> bool:
    repair = _first(run, lambda row: row["repair_of"] is not None)
    if repair is not None:
        lane = {row["id"] for row in run.deliveries.values() if row["lane_id"] == repair["lane_id"]}
        for row in run.attempts:
            if row["delivery_id"] in lane:
                row.update(certainty="refused", late_outcome=None, outcome="Answered", detail=None)
    return repair is not None


def show_an_older_state(run: Run) -> bool:
    """Of an attempt that ended so late that this may still be repaired."""
    for lane in run.lanes.values():
        newest = lane["newest"]
        if lane["policy"] != "latest" or newest["status"] != "delivered":
            continue
        received = [one for one in run.received if one.lane == lane["key"]]
        last = max(one.applied_at or 0 for one in received)
        for one in received:
            (*others, attempt) = (row for row in run.attempts if row["delivery_id"] == one.delivery)
            soon = not others and last < attempt["finished_at"] + SETTLE
            if soon and attempt["closed_by"] == "holder" and one.digest != f"sha of {newest['digest']}":
                run.received[run.received.index(one)] = replace(one, applied_at=last + 1)
                return True
    return False


def answer_differently(run: Run) -> bool:
    run.emitted += [replace(told, deliveries={}) for told in run.emitted if told.deliveries][:1]
    return any(told.deliveries for told in run.emitted)


def _first(run: Run, wanted: Callable[[MutableRow], bool]) -> MutableRow | None:
    return next(filter(wanted, run.deliveries.values()), None)


TAMPERINGS: Mapping[Tamper, frozenset[str]] = {
    lose_an_event: frozenset({"I1"}),
    lose_a_delivery: frozenset({"I1"}),
    lose_what_was_received: frozenset({"I1"}),
    lose_an_attempt: frozenset({"I6"}),
    owe_twice: frozenset({"I1"}),
    receive_what_nobody_owes: frozenset({"I2"}),
    owe_what_nobody_emitted: frozenset({"I2"}),
    receive_again: frozenset({"I3"}),
    swap_two_requests: frozenset({"I4", "I6", "I3", "I2"}),
    change_a_body: frozenset({"I5"}),
    be_too_early: frozenset({"I7"}),
    keep_a_request_open: frozenset({"I9"}),
    leave_one_behind: frozenset({"L1", "I13"}),
    supersede_the_newest: frozenset({"L2"}),
    forget_an_end: frozenset({"L3"}),
    repair_without_a_doubt: frozenset({"L5"}),
    show_an_older_state: frozenset({"I4"}),
    answer_differently: frozenset({"I14"}),
}
