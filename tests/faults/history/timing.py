"""I7: nothing is tried before its time. I13: nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.faults.history.facts import ENDED, Facts
from tests.faults.history.words import Row, Violation


def no_attempt_comes_before_its_time(facts: Facts) -> Iterator[Violation]:
    for delivery_id, attempts in facts.attempts.items():
        for earlier, later in pairwise(attempts):
            if earlier["next_at"] is not None and later["started_at"] < earlier["next_at"]:
                early = earlier["next_at"] - later["started_at"]
                text = f"attempt {later['number']} of {delivery_id} began {early} ms before its time"
                yield Violation(invariant="I7", text=text, evidence=(earlier, later))


def nothing_is_left_behind(facts: Facts) -> Iterator[Violation]:
    """What has not ended must have moved, or be going to, within a lease and the grace."""
    patience = facts.limits.lease + facts.limits.grace
    for row in facts.rows.delivery:
        if row["status"] in ENDED or _hook_is_paused(facts, row):
            continue
        idle = facts.history.read_at - _last_move(facts, row)
        if idle > patience:
            text = f"{row['id']} is {row['status']}, and nothing happened to it for {idle:.0f} ms"
            yield Violation(invariant="I13", text=text, evidence=(row, facts.lanes.get(row["lane_id"])))


def _hook_is_paused(facts: Facts, row: Row) -> bool:
    return any(hook["id"] == row["hook_id"] and hook["state"] == "paused" for hook in facts.rows.hook)


def _last_move(facts: Facts, row: Row) -> float:
    """When something last happened in its lane, or will: when the lane is due, or its gate opens."""
    moves: list[float] = [row["accepted_at"]]
    lane = facts.lanes.get(row["lane_id"])
    if lane is not None and lane["head_id"] is not None:
        moves.append(lane["due_at"])
        moves += [gate["open_at"] for gate in facts.rows.gate if gate["key"] == lane["waits_for"]]
    for attempt in facts.attempts_in_lane.get(row["lane_id"], ())[-1:]:
        moves.append(attempt["finished_at"] or attempt["started_at"])
    return max(moves)
