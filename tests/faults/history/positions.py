"""Where deliveries stand in their lane, by the order that was in force when they were compared."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from tests.faults.history.words import Row


class LaneOrder:
    """One lane's order: by the numbers of its actions as long as all come from one pipeline, then for good by
    when the actions were first heard of. `pipelines` maps an action's `first_seq` to its pipeline.
    """

    def __init__(self, lane: Row, rows: Sequence[Row], pipelines: Mapping[int, object]) -> None:
        self.ordered = lane["policy"] == "ordered"
        accepted = sorted((row for row in rows if row["repair_of"] is None), key=lambda row: row["seq"])
        self._seqs = [row["seq"] for row in accepted]
        self._by_number = _scopes(accepted, pipelines)
        if self._seqs[:1] != [1] or any(row["first_seq"] not in pipelines for row in accepted):
            # What came before is gone: only what the lane ended up with is known.
            self._by_number = [lane["scope"] is not None] * len(accepted)

    def newer(self, one: Row, other: Row) -> bool:
        """Whether `one` stands above `other`, as was decided when the later of the two was accepted."""
        index = bisect_right(self._seqs, max(one["seq"], other["seq"])) - 1
        by_number = index >= 0 and self._by_number[index]
        return self._place(one, by_number) > self._place(other, by_number)

    def newest(self, rows: Sequence[Row]) -> Row:
        """The one nothing was accepted above, of rows that are not empty."""
        newest, *others = sorted(rows, key=lambda row: row["seq"])
        for row in others:
            if self.newer(row, newest):
                newest = row
        return newest

    def _place(self, row: Row, by_number: bool) -> tuple[int, int, int]:
        if self.ordered:
            return 0, 0, row["seq"]
        if by_number and row["number"] is not None:
            return row["number"], row["rank"], row["seq"]
        return row["first_seq"], row["rank"], row["seq"]


def _scopes(accepted: Sequence[Row], pipelines: Mapping[int, object]) -> list[bool]:
    """For each delivery whether numbers ordered the lane once it had been accepted."""
    found: list[bool] = []
    lane_scope: object = None
    for index, row in enumerate(accepted):
        scope = None if row["number"] is None else pipelines.get(row["first_seq"])
        if index == 0:
            lane_scope = scope
        elif lane_scope != scope:
            lane_scope = None
        found.append(lane_scope is not None)
    return found
