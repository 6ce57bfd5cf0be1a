"""L1 to L5: what the lane protocol promises of its rows, by the numbers of its own list of checks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

from tests.faults.history.facts import ENDED, WAITING, Facts, in_doubt
from tests.faults.history.words import Row, Violation


def lanes_have_the_heads_they_need(facts: Facts) -> Iterator[Violation]:
    """L1: what waits has a head before it, what is being sent is the head of a leased lane, no head has ended."""
    for row in facts.rows.delivery:
        lane = facts.lanes.get(row["lane_id"])
        if row["status"] in WAITING and (lane is None or lane["head_id"] is None):
            yield _broken("L1", f"{row['id']} waits in a lane without a head", row, lane)
        leased = lane is not None and lane["token"] is not None and lane["head_id"] == row["id"]
        if (row["status"] == "sending") != leased:
            yield _broken("L1", f"{row['id']} is {row['status']}, and its lane says otherwise", row, lane)
    for lane in facts.rows.lane:
        head = facts.deliveries.get(lane["head_id"] or "")
        if lane["head_id"] is not None and (head is None or head["status"] in ENDED):
            yield _broken("L1", f"lane {lane['id']} has a head that has ended", lane, head)
        if head is not None and head["lane_id"] != lane["id"]:
            yield _broken("L1", f"lane {lane['id']} has a head of another lane", lane, head)


def leases_have_their_attempt(facts: Facts) -> Iterator[Violation]:
    """L1: a token is that of the one open attempt of the lane; without one no attempt is open."""
    for lane_id, lane in facts.lanes.items():
        attempts = facts.attempts_in_lane.get(lane_id, ())
        tokens = [row["token"] for row in attempts if row["finished_at"] is None]
        if tokens != ([] if lane["token"] is None else [lane["token"]]):
            yield _broken("L1", f"lane {lane_id} has token {lane['token']} and open attempts {tokens}", lane)


def one_waits_in_a_lane_of_the_latest(facts: Facts) -> Iterator[Violation]:
    """L2."""
    waiting = Counter(row["lane_id"] for row in facts.rows.delivery if row["status"] in WAITING)
    for lane_id, count in waiting.items():
        lane = facts.lanes.get(lane_id)
        if count > 1 and lane is not None and lane["policy"] == "latest":
            yield _broken("L2", f"{count} deliveries wait in lane {lane_id}", lane)


def what_is_superseded_has_a_newer_one(facts: Facts) -> Iterator[Violation]:
    """L2: or the receiver showed the same already."""
    for row in facts.rows.delivery:
        if row["status"] != "superseded" or facts.may_be_pruned(row["accepted_at"]):
            continue
        rows = facts.in_lane.get(row["lane_id"], ())
        if row["because"].startswith("unchanged"):
            if not any(_showed_the_same(other, row) for other in rows):
                yield _broken("L2", f"{row['id']} is unchanged, and nobody showed it before", row)
            continue
        order = facts.orders.get(row["lane_id"])
        by = facts.deliveries.get(row["superseded_by"] or "")
        others = chain([] if by is None else [by], reversed(rows))  # the likely ones first: lanes may be long
        if order is None or order.ordered or not any(order.newer(other, row) for other in others):
            yield _broken("L2", f"{row['id']} is superseded, and nothing newer is there", row)
        if row["superseded_by"] and (by is None or (order is not None and not order.newer(by, row))):
            yield _broken("L2", f"{row['id']} is superseded by what is not newer", row, by)


def _showed_the_same(other: Row, row: Row) -> bool:
    before = (other["ended_at"] or 0) <= (row["ended_at"] or 0)
    return bool(other["status"] == "delivered" and other["digest"] == row["digest"] and before)


def what_has_ended_has_an_end(facts: Facts) -> Iterator[Violation]:
    """L3: with a time, not before its beginning, and no attempt begins after it."""
    for row in facts.rows.delivery:
        ended_at = row["ended_at"]
        if (row["status"] in ENDED) != (ended_at is not None):
            yield _broken("L3", f"{row['id']} is {row['status']}, and its end is {ended_at}", row)
        elif ended_at is not None:
            if ended_at + facts.limits.clock < row["accepted_at"]:
                yield _broken("L3", f"{row['id']} ended before it was accepted", row)
            for attempt in facts.attempts[row["id"]]:
                if attempt["started_at"] > ended_at:
                    yield _broken("L3", f"{row['id']} was tried after its end", row, attempt)


def what_has_finished_says_how(facts: Facts) -> Iterator[Violation]:
    """L3: an attempt has an outcome, a certainty and who closed it, or none of them."""
    for row in facts.rows.attempt:
        said = [row[name] is not None for name in ("finished_at", "outcome", "certainty", "closed_by")]
        if any(said) != all(said):
            yield _broken("L3", f"attempt {row['number']} of {row['delivery_id']} is half finished", row)
        elif row["finished_at"] is not None and row["finished_at"] < row["started_at"]:
            yield _broken("L3", f"attempt {row['number']} of {row['delivery_id']} ended before it began", row)


def repairs_answer_doubts(facts: Facts) -> Iterator[Violation]:
    """L5: each that was tried needs a doubt of its own, in a lane of the latest. One that was superseded before
    leaves its doubt to the newer delivery's.
    """
    repairs = [row for row in facts.rows.delivery if row["repair_of"] is not None]
    doubts: dict[int, int] = defaultdict(int)
    for lane_id, attempts in facts.attempts_in_lane.items():
        doubts[lane_id] = sum(in_doubt(row) + (row["late_outcome"] is not None) for row in attempts)
    tried = Counter(row["lane_id"] for row in repairs if row["attempts"])
    for lane_id, count in Counter(row["lane_id"] for row in repairs).items():
        if not doubts[lane_id] or tried[lane_id] > doubts[lane_id]:
            text = f"lane {lane_id} has {count} repairs for {doubts[lane_id]} doubts"
            yield _broken("L5", text, facts.lanes.get(lane_id))
    for row in repairs:
        lane = facts.lanes.get(row["lane_id"])
        if lane is not None and lane["policy"] != "latest":
            yield _broken("L5", f"{row['id']} repairs in a lane that knows no repairs", row, lane)
        original = facts.deliveries.get(row["repair_of"])
        same = ("event_id", "hook_id", "lane_id", "digest", "number", "first_seq", "rank", "seq")
        if original is None or any(original[name] != row[name] for name in same):
            yield _broken("L5", f"{row['id']} repairs what is not the same", row, original)


def _broken(rule: str, text: str, *evidence: object) -> Violation:
    return Violation(invariant=rule, text=text, evidence=evidence)
