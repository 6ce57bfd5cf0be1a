"""A history with what the rules ask of it looked up once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.faults.history.matching import match
from tests.faults.history.positions import LaneOrder
from tests.faults.history.words import Emitted, Fate, History, Pause, Received, Row

ENDED = frozenset({"delivered", "failed", "superseded", "cancelled"})
WAITING = frozenset({"queued", "retrying"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A request that was received, with its delivery and the attempt that sent it, if one is known.

    `stray`: its sender stood still, its attempt was closed by a rescue meanwhile, and then it went on to
    write. Nothing can prevent that; it is counted apart.
    """

    received: Received
    row: Row
    attempt: Row | None
    stray: Pause | None

    def __str__(self) -> str:
        number = self.attempt["number"] if self.attempt else "no attempt"
        return f"{self.received} by attempt {number}" + (" (stray)" if self.stray else "")


class Facts:
    def __init__(self, history: History) -> None:
        self.history = history
        self.limits = history.limits
        self.rows = history.rows

    @cached_property
    def acknowledged(self) -> Mapping[str, Sequence[Emitted]]:
        """By event."""
        found: dict[str, list[Emitted]] = defaultdict(list)
        for told in self.history.emitted:
            if told.fate is Fate.ACKNOWLEDGED:
                found[told.event_id].append(told)
        return found

    @cached_property
    def events(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.rows.event}

    @cached_property
    def deliveries(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.rows.delivery}

    @cached_property
    def lanes(self) -> Mapping[int, Row]:
        return {row["id"]: row for row in self.rows.lane}

    @cached_property
    def in_lane(self) -> Mapping[int, Sequence[Row]]:
        """Deliveries by lane, in the order of their acceptance."""
        found = _grouped(self.rows.delivery, "lane_id")
        return {lane: sorted(rows, key=lambda row: row["seq"]) for lane, rows in found.items() if lane}

    @cached_property
    def attempts(self) -> Mapping[str, Sequence[Row]]:
        found = _grouped(self.rows.attempt, "delivery_id")
        return defaultdict(
            list, {key: sorted(rows, key=lambda row: row["number"]) for key, rows in found.items()}
        )

    @cached_property
    def attempts_in_lane(self) -> Mapping[int, Sequence[Row]]:
        found: dict[int, list[Row]] = defaultdict(list)
        for delivery_id, attempts in self.attempts.items():
            row = self.deliveries.get(delivery_id)
            if row is not None and row["lane_id"] is not None:
                found[row["lane_id"]].extend(attempts)
        return {lane: sorted(rows, key=lambda row: row["started_at"]) for lane, rows in found.items()}

    @cached_property
    def orders(self) -> Mapping[int, LaneOrder]:
        pipelines = {row["first_seq"]: row["pipeline_id"] for row in self.rows.action}
        return {
            key: LaneOrder(lane, self.in_lane.get(key, ()), pipelines) for key, lane in self.lanes.items()
        }

    @cached_property
    def received(self) -> Mapping[str, Sequence[Received]]:
        """By delivery, in the order in which they came."""
        found: dict[str, list[Received]] = defaultdict(list)
        for one in sorted(self.history.received, key=_came):
            found[one.delivery].append(one)
        return found

    @cached_property
    def sendings(self) -> Mapping[str, Sequence[Sending]]:
        """By delivery, in the order in which they came; those of deliveries that are known."""
        found: dict[str, list[Sending]] = defaultdict(list)
        for delivery_id, received in self.received.items():
            row = self.deliveries.get(delivery_id)
            if row is None:
                continue
            attempts = self.attempts[delivery_id]
            senders = match(received, attempts, self.limits, self._stood_still)
            for one, index in zip(received, senders, strict=True):
                attempt = None if index is None else attempts[index]
                stray = attempt and self._stray(one, attempt)
                found[delivery_id].append(
                    Sending(received=one, row=row, attempt=attempt, stray=stray or None)
                )
        return found

    @cached_property
    def sendings_in_lane(self) -> Mapping[int, Sequence[Sending]]:
        found: dict[int, list[Sending]] = defaultdict(list)
        for sendings in self.sendings.values():
            for sending in sendings:
                if sending.row["lane_id"] is not None:
                    found[sending.row["lane_id"]].append(sending)
        return {
            lane: sorted(rows, key=lambda sending: _came(sending.received)) for lane, rows in found.items()
        }

    def may_be_pruned(self, accepted_at: float) -> bool:
        return accepted_at < self.history.forgotten_before

    def pauses_during(self, attempt: Row | None, begins: float, ends: float) -> Iterator[Pause]:
        """Pauses of the attempt's node that touch this time."""
        node = "" if attempt is None else attempt["node"]
        for pause in self.history.pauses:
            if pause.holds(node) and pause.begins <= ends and begins <= pause.ends + self.limits.wake:
                yield pause

    def _stray(self, received: Received, attempt: Row) -> Pause | None:
        rescued = attempt["closed_by"] == "rescue" and (attempt["finished_at"] or 0) < received.started_at
        return self._pause_across(attempt, received.started_at) if rescued else None

    def _stood_still(self, attempt: Row, at: float) -> bool:
        return self._pause_across(attempt, at) is not None

    def _pause_across(self, attempt: Row, at: float) -> Pause | None:
        """A pause of the attempt's node that began when the attempt was open, and was not over long at `at`."""
        first, last = attempt["started_at"] - self.limits.clock, attempt["finished_at"] or 0
        pauses = self.pauses_during(attempt, at, at)
        return next((pause for pause in pauses if first <= pause.begins <= last), None)


def in_doubt(attempt: Row) -> bool:
    """Its sender cannot know whether it had an effect."""
    return (
        attempt["certainty"] == "doubtful"
        or attempt["outcome"] == "Unknown"
        or attempt["late_outcome"] is not None
    )


def _came(received: Received) -> tuple[float, str, int]:
    return received.started_at, received.receiver, received.number


def _grouped(rows: Iterable[Row], column: str) -> Mapping[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found
