"""I4: a lane's order holds at the receiver, and its newest state is what the receiver shows in the end.
I9: a lane has one request in flight.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.faults.history.facts import Facts, Sending
from tests.faults.history.words import Row, Violation


def older_states_never_follow_newer_ones(facts: Facts) -> Iterator[Violation]:
    """In lanes of policy `latest`. What a stray brought is left out."""
    for lane_id, sendings in facts.sendings_in_lane.items():
        if facts.lanes[lane_id]["policy"] != "latest":
            continue
        order = facts.orders[lane_id]
        regular = [sending for sending in sendings if sending.stray is None]
        for earlier, later in pairwise(regular):
            if order.newer(earlier.row, later.row):
                text = f"lane {lane_id}: {later.row['id']} was sent after {earlier.row['id']}, which is newer"
                yield Violation(invariant="I4", text=text, evidence=(earlier, later))


def nobody_overtakes(facts: Facts) -> Iterator[Violation]:
    """In lanes of policy `ordered`: whoever is first sent finds all before it ended."""
    for lane_id, rows in facts.in_lane.items():
        if facts.lanes[lane_id]["policy"] != "ordered":
            continue
        blocking: dict[str, tuple[float, Row]] = {}  # by hook: the last end of its deliveries so far
        for row in rows:
            first = _first_sent(facts, row)
            for hook_id, (end, before) in blocking.items():
                free = hook_id in facts.history.paused_hooks and hook_id != row["hook_id"]
                if not free and first + facts.limits.clock < end:
                    text = f"lane {lane_id}: {row['id']} was sent before {before['id']} had ended"
                    yield Violation(invariant="I4", text=text, evidence=(before, row))
            end = float("inf") if row["ended_at"] is None else row["ended_at"]
            if row["hook_id"] not in blocking or blocking[row["hook_id"]][0] < end:
                blocking[row["hook_id"]] = end, row


def _first_sent(facts: Facts, row: Row) -> float:
    times = [one.received.started_at for one in facts.sendings.get(row["id"], ()) if one.stray is None]
    times += [attempt["started_at"] for attempt in facts.attempts[row["id"]]]
    return min(times, default=float("inf"))


def the_newest_state_is_shown(facts: Facts) -> Iterator[Violation]:
    """In lanes of policy `latest`, once the newest delivery is known to have been taken and nothing is owed."""
    for lane_id, lane in facts.lanes.items():
        if lane["policy"] != "latest" or not facts.in_lane.get(lane_id):
            continue
        applied = [
            one for one in facts.sendings_in_lane.get(lane_id, ()) if one.received.applied_at is not None
        ]
        newest = facts.orders[lane_id].newest(facts.in_lane[lane_id])
        if not applied or not _must_be_shown(facts, newest):
            continue
        shown = max(applied, key=_applied)
        if shown.row["digest"] != newest["digest"] and not _nothing_helps(facts, shown):
            text = f"lane {lane_id}: the receiver shows {shown.row['id']}, and the newest is {newest['id']}"
            yield Violation(invariant="I4", text=text, evidence=(shown, newest))


def _applied(sending: Sending) -> float:
    return sending.received.applied_at or 0.0


def _must_be_shown(facts: Facts, newest: Row) -> bool:
    """It was taken for certain, or left out because it was shown already; and what it may have owed as repairs
    was delivered."""
    if newest["status"] == "superseded":
        return bool(newest["because"].startswith("unchanged"))
    if newest["status"] != "delivered" or _is_off(facts, newest):
        return False
    repairs = [row for row in facts.in_lane[newest["lane_id"]] if row["seq"] == newest["seq"]]
    if any(row["status"] != "delivered" for row in repairs):
        return False
    return any(attempt["certainty"] == "applied" for row in repairs for attempt in facts.attempts[row["id"]])


def _is_off(facts: Facts, row: Row) -> bool:
    offs = [hook["off_at"] for hook in facts.rows.hook if hook["id"] == row["hook_id"]]
    return any(row["accepted_at"] <= off_at for off_at in offs)


def _nothing_helps(facts: Facts, shown: Sending) -> bool:
    """It was applied later than doubts are waited for, or its sender died before it could tell."""
    attempt = shown.attempt
    if attempt is None:
        return False
    if shown.stray is not None and attempt["late_outcome"] is None:
        return True
    known = max(attempt["finished_at"] or 0, attempt["late_at"] or 0)
    return _applied(shown) > known + facts.limits.settle


def one_request_in_flight(facts: Facts) -> Iterator[Violation]:
    """At the receivers; not counted while a sender stood still with a request of its own under way. When a
    request was answered its receiver knows; that a sender has hung up it may notice late.
    """
    for lane_id, sendings in facts.sendings_in_lane.items():
        longest: Sending | None = None
        for sending in sendings:
            if longest is not None:
                overlap = min(_end(longest), _end(sending)) - sending.received.started_at
                slack = facts.limits.clock if longest.received.status else facts.limits.lag
                if overlap > slack and not _stood_still(facts, longest, sending):
                    text = f"lane {lane_id}: two requests were in flight at once for {overlap:.0f} ms"
                    yield Violation(invariant="I9", text=text, evidence=(longest, sending))
            if longest is None or _end(sending) > _end(longest):
                longest = sending


def _end(sending: Sending) -> float:
    return float("inf") if sending.received.ended_at is None else sending.received.ended_at


def _stood_still(facts: Facts, one: Sending, other: Sending) -> bool:
    begins, ends = other.received.started_at, min(_end(one), _end(other))
    return any(True for sending in (one, other) for _ in facts.pauses_during(sending.attempt, begins, ends))


def one_attempt_at_a_time(facts: Facts) -> Iterator[Violation]:
    for lane_id, attempts in facts.attempts_in_lane.items():
        last: Row | None = None
        for attempt in attempts:
            if last is not None and attempt["started_at"] + facts.limits.clock < _finished(last):
                text = f"lane {lane_id}: two attempts were open at once"
                yield Violation(invariant="I9", text=text, evidence=(last, attempt))
            if last is None or _finished(attempt) > _finished(last):
                last = attempt


def _finished(attempt: Row) -> float:
    return float("inf") if attempt["finished_at"] is None else attempt["finished_at"]
