"""The lane protocol in few lines, on an imagined clock.

It is not the engine's own code: the judge is to notice when that one goes wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count

from tests.faults.history import Limits
from tests.faults.history.facts import WAITING
from tests.faults.model.rows import MutableRow, attempt_row, delivery_row, lane_row

BEGIN = 1_795_000_000_000
SECOND = 1_000
LEASE = round(Limits().lease)
SETTLE = round(Limits().settle)


class Protocol:
    def __init__(self) -> None:
        self.now = BEGIN
        self.events: list[MutableRow] = []
        self.actions: dict[tuple[int, int], MutableRow] = {}
        self.deliveries: dict[str, MutableRow] = {}
        self.attempts: list[MutableRow] = []
        self.lanes: dict[str, MutableRow] = {}
        self._names, self._tokens = count(1), count(1)

    def _owe(
        self,
        delivery_id: str,
        event_id: str,
        lane: str,
        policy: str,
        number: int | None,
        rank: int,
        pipeline: int,
        action: int,
    ) -> MutableRow:
        first_seq = len(self.actions) + 1
        known = self.actions.setdefault(
            (pipeline, action), {"first_seq": first_seq, "pipeline_id": pipeline, "action_id": str(action)}
        )
        self.events.append({"id": event_id, "type": "action.started", "accepted_at": self.now})
        self.lanes.setdefault(lane, lane_row(len(self.lanes) + 1, lane, policy))
        row = delivery_row(delivery_id, event_id, self.now)
        row |= {"lane_id": self.lanes[lane]["id"], "number": number, "rank": rank}
        row["first_seq"] = known["first_seq"]
        self.deliveries[delivery_id] = row
        return row

    def _accept(self, lane: MutableRow, row: MutableRow) -> None:
        scope = None if row["number"] is None else f"pipeline:{self._pipeline(row)}"
        row["seq"] = lane["next_seq"]
        lane["next_seq"] += 1
        newest = lane["newest"]
        lane["scope"] = scope if newest is None or lane["scope"] == scope else None
        if lane["policy"] == "latest":
            if newest is not None and self._place(lane, newest) > self._place(lane, row):
                self._end(row, "superseded", "late")
                return
            for older in self._waiting(lane, besides=row):
                self._end(older, "superseded", "a newer one was accepted", superseded_by=row["id"])
        lane["newest"] = row
        if lane["head_id"] is None or (lane["policy"] == "latest" and lane["token"] is None):
            self._head(lane, row, self.now)

    def _pipeline(self, row: MutableRow) -> int:
        return next(key[0] for key, known in self.actions.items() if known["first_seq"] == row["first_seq"])

    def _lease(self, lane: MutableRow, node: str) -> MutableRow:
        row = self._head_of(lane)
        row["status"] = "sending"
        row["attempts"] += 1
        lane["token"], lane["due_at"] = next(self._tokens), self.now + LEASE
        attempt = attempt_row(row["id"], row["attempts"], lane["token"], node, self.now)
        self.attempts.append(attempt)
        return attempt

    def _close(
        self, attempt: MutableRow, outcome: str, certainty: str, verdict: str, status: int | None = None
    ) -> None:
        attempt |= {"finished_at": self.now, "outcome": outcome, "certainty": certainty, "verdict": verdict}
        attempt |= {"closed_by": "holder", "detail": json.dumps({"status": status} if status else {})}

    def _accepted(self, lane: MutableRow, attempt: MutableRow) -> None:
        row = self._head_of(lane)
        self._close(attempt, "Answered", "applied", "Accept", status=200)
        self._end(row, "delivered", "200")
        lane |= {"shown_id": row["id"], "shown_digest": row["digest"], "cleared_to": attempt["started_at"]}
        self._advance(lane)

    def _try_again(
        self, lane: MutableRow, attempt: MutableRow, outcome: str, certainty: str, status: int | None = None
    ) -> None:
        self._close(attempt, outcome, certainty, "TryAgain", status=status)
        attempt["next_at"] = self.now + 5 * SECOND
        if certainty == "doubtful":
            self._doubt(lane, self._head_of(lane), self.now + SETTLE)
        self._wait_again(lane, attempt["next_at"])

    def _rescue(self, lane: MutableRow, attempt: MutableRow) -> None:
        self.now = max(self.now, lane["due_at"])
        attempt |= {"finished_at": self.now, "outcome": "Unknown", "certainty": "doubtful"}
        attempt |= {"closed_by": "rescue", "detail": json.dumps({"reason": "the node went away"})}
        self._doubt(lane, self._head_of(lane), self.now + SETTLE)
        self._wait_again(lane, self.now)

    def _wait_again(self, lane: MutableRow, at: int) -> None:
        row, lane["token"] = self._head_of(lane), None
        newer = self._next(lane, row) if lane["policy"] == "latest" else None
        if newer is None:
            row["status"], lane["due_at"] = "retrying", at
            return
        self._end(row, "superseded", "a newer one waits", superseded_by=newer["id"])
        self._advance(lane)

    def _advance(self, lane: MutableRow) -> None:
        following = self._next(lane, self._head_of(lane))
        lane["token"] = lane["head_id"] = None
        if following is None:
            self._settle(lane)
        else:
            self._head(lane, following, self.now)

    def _head(self, lane: MutableRow, row: MutableRow, due_at: int) -> None:
        lane["head_id"], lane["due_at"] = row["id"], due_at

    def _doubt(self, lane: MutableRow, row: MutableRow, until: int) -> None:
        row["doubt_until"] = max(row["doubt_until"], until)
        lane["shown_digest"] = None
        if lane["head_id"] is not None and lane["token"] is None and self._head_of(lane)["repair_of"]:
            lane["due_at"] = max(lane["due_at"], until)

    def _settle(self, lane: MutableRow) -> None:
        shown = self.deliveries.get(lane["shown_id"] or "")
        if lane["policy"] != "latest" or lane["head_id"] is not None or shown is None:
            return
        place = self._place(lane, shown)
        doubts = [row["doubt_until"] for row in self._rows(lane) if self._place(lane, row) < place]
        until = max((doubt for doubt in doubts if doubt > lane["cleared_to"]), default=0)
        if until and place == self._place(lane, lane["newest"]):
            repair = {**delivery_row(f"dlv_{next(self._names):03}", shown["event_id"], self.now)}
            repair |= {key: shown[key] for key in ("lane_id", "number", "first_seq", "rank", "seq", "digest")}
            self.deliveries[repair["id"]] = {**repair, "repair_of": shown["id"]}
            lane |= {"cleared_to": until, "shown_digest": None}
            self._head(lane, repair, until)

    def _end(self, row: MutableRow, status: str, because: str, superseded_by: str | None = None) -> None:
        row |= {"status": status, "because": because, "superseded_by": superseded_by, "ended_at": self.now}

    # What is where

    def _is_unchanged(self, lane: MutableRow) -> bool:
        head = self._head_of(lane)
        same = lane["policy"] == "latest" and head["digest"] == lane["shown_digest"]
        return bool(same and not head["attempts"] and head["repair_of"] is None)

    def _head_of(self, lane: MutableRow) -> MutableRow:
        return self.deliveries[lane["head_id"]]

    def _lane_of(self, row: MutableRow) -> MutableRow:
        return next(lane for lane in self.lanes.values() if lane["id"] == row["lane_id"])

    def _rows(self, lane: MutableRow) -> Iterable[MutableRow]:
        return [row for row in self.deliveries.values() if row["lane_id"] == lane["id"]]

    def _waiting(self, lane: MutableRow, besides: MutableRow) -> list[MutableRow]:
        return [row for row in self._rows(lane) if row["status"] in WAITING and row["id"] != besides["id"]]

    def _next(self, lane: MutableRow, after: MutableRow) -> MutableRow | None:
        waiting = self._waiting(lane, besides=after)
        if lane["policy"] == "latest":
            return max(waiting, key=lambda row: self._place(lane, row), default=None)
        return min(waiting, key=lambda row: int(row["seq"]), default=None)

    def _place(self, lane: MutableRow, row: MutableRow) -> tuple[int, int, int]:
        if lane["policy"] == "ordered":
            return 0, 0, row["seq"]
        by_number = lane["scope"] is not None and row["number"] is not None
        return row["number"] if by_number else row["first_seq"], row["rank"], row["seq"]
