"""Correct runs, for tests of the judge."""

from __future__ import annotations

from typing import Any

from tests.faults.history import Emitted, Fate, History, Pause, Received, Rows
from tests.faults.history.facts import WAITING
from tests.faults.model.protocol import SECOND, SETTLE, Protocol
from tests.faults.model.rows import MutableRow

DEADLINE = 30 * SECOND


class Run(Protocol):
    """Events arrive, and what they owe is sent with one success or trouble after another.

    Rows, receipts and what was told may be changed before `history` is asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.emitted: list[Emitted] = []
        self.received: list[Received] = []
        self.pauses: list[Pause] = []
        self.standing_still: list[tuple[MutableRow, int]] = []  # attempts, and since when

    def history(self, **changes: Any) -> History:
        rows = Rows(
            event=self.events,
            delivery=list(self.deliveries.values()),
            attempt=self.attempts,
            lane=list(self.lanes.values()),
            action=list(self.actions.values()),
        )
        values: dict[str, Any] = {
            "emitted": self.emitted,
            "received": self.received,
            "rows": rows,
            "read_at": self.now,
            "pauses": self.pauses,
        }
        return History(**{**values, **changes})

    # Events

    def arrive(
        self,
        lane: str = "main",
        *,
        policy: str = "latest",
        number: int | None = 1,
        rank: int = 1,
        action: int = 1,
        pipeline: int = 1,
        state: str | None = None,
        lost_answers: int = 0,
    ) -> str:
        """The id of the one delivery that is owed. An event whose answer was lost is emitted again."""
        self.now += 10
        name = next(self._names)
        row = self._owe(f"dlv_{name:03}", f"evt_{name:03}", lane, policy, number, rank, pipeline, action)
        row["digest"] = f"body of {state or row['id']}"
        told = {"event_id": row["event_id"], "at": self.now, "digest": f"digest of {row['event_id']}"}
        self.emitted += [Emitted(fate=Fate.UNKNOWN, **told) for _ in range(lost_answers)]
        self.emitted.append(Emitted(fate=Fate.ACKNOWLEDGED, deliveries={"hook_1": row["id"]}, **told))
        self._accept(self.lanes[lane], row)
        return str(row["id"])

    def emit_in_vain(self, fate: Fate = Fate.UNKNOWN) -> None:
        """An event that never got in."""
        self.emitted.append(Emitted(event_id=f"evt_{next(self._names):03}", fate=fate, at=self.now))

    # Sending

    def send(self, lane: str = "main", how: str = "taken") -> Received | None:
        """Try what is due in a lane; `how` is the name of a method that says what comes of it. What was
        received, None if there was nothing to send, or nothing left."""
        found = self.lanes.get(lane)
        if found is None or found["head_id"] is None or found["token"] is not None:
            return None
        self.now = max(self.now, found["due_at"])
        if self._is_unchanged(found):
            self._end(self._head_of(found), "superseded", "unchanged: the target already shows this")
            self._advance(found)
            return None
        attempt = self._lease(found, "a")
        received: Received | None = getattr(self, how)(found, attempt)
        return received

    def taken(self, lane: MutableRow, attempt: MutableRow) -> Received:
        received = self._receive(attempt, status=200, applied=True)
        self._accepted(lane, attempt)
        return received

    def busy(self, lane: MutableRow, attempt: MutableRow) -> Received:
        received = self._receive(attempt, status=429)
        self._try_again(lane, attempt, "Answered", "refused", status=429)
        return received

    def broken(self, lane: MutableRow, attempt: MutableRow) -> Received:
        received = self._receive(attempt, status=503)
        self._try_again(lane, attempt, "Answered", "doubtful", status=503)
        return received

    def refused(self, lane: MutableRow, attempt: MutableRow) -> Received:
        received = self._receive(attempt, status=422)
        self._close(attempt, "Answered", "refused", "GiveUp", status=422)
        self._end(self._head_of(lane), "failed", "422")
        self._advance(lane)
        return received

    def unreachable(self, lane: MutableRow, attempt: MutableRow) -> None:
        self.now += 5
        self._try_again(lane, attempt, "Unreachable", "unsent")

    def cut_off(self, lane: MutableRow, attempt: MutableRow) -> Received:
        """The receiver takes it, and the answer is lost."""
        received = self._receive(attempt, applied=True)
        self._try_again(lane, attempt, "Unreachable", "doubtful")
        return received

    def late(self, lane: MutableRow, attempt: MutableRow) -> Received:
        """The receiver takes it when its sender has given up waiting."""
        received = self._receive(attempt, takes=DEADLINE, applied=True, applied_after=DEADLINE + SETTLE // 2)
        self._try_again(lane, attempt, "TimedOut", "doubtful")
        return received

    def killed(self, lane: MutableRow, attempt: MutableRow) -> Received:
        """Its sender dies once the receiver has taken it."""
        received = self._receive(attempt, applied=True)
        self.pauses.append(Pause(node="a", begins=self.now, ends=self.now + 2 * SECOND, killed=True))
        self._rescue(lane, attempt)
        return received

    def killed_before(self, lane: MutableRow, attempt: MutableRow) -> None:
        self.pauses.append(Pause(node="a", begins=self.now, ends=self.now + 2 * SECOND, killed=True))
        self._rescue(lane, attempt)

    def stopped(self, lane: MutableRow, attempt: MutableRow) -> None:
        """Its sender stands still just before it writes, until `wake`."""
        attempt["node"] = f"sleeper {attempt['token']}"
        self.standing_still.append((attempt, self.now))
        self._rescue(lane, attempt)

    def wake(self) -> list[Received]:
        """Whoever stood still goes on to write, and tells what came of it."""
        found = []
        for attempt, since in self.standing_still:
            self.now += 10
            self.pauses.append(Pause(node=attempt["node"], begins=since, ends=self.now))
            self.now += 1
            found.append(self._receive(attempt, status=200, applied=True))
            attempt |= {"late_outcome": "Answered", "late_at": self.now}
            row = self.deliveries[attempt["delivery_id"]]
            lane = self._lane_of(row)
            self._doubt(lane, row, self.now)
            self._settle(lane)
        self.standing_still = []
        return found

    def come_to_rest(self) -> None:
        while self.wake() or any(lane["head_id"] for lane in self.lanes.values()):
            for name in self.lanes:
                self.send(name)
        self.now += SETTLE

    def cancel(self, delivery_id: str) -> None:
        row = self.deliveries[delivery_id]
        if row["status"] in WAITING:
            self.now += 1
            lane = self._lane_of(row)
            self._end(row, "cancelled", "a person asked for it")
            if lane["head_id"] == delivery_id:
                self._advance(lane)

    def _receive(
        self,
        attempt: MutableRow,
        *,
        takes: int = 5,
        status: int | None = None,
        applied: bool = False,
        applied_after: int = 1,
    ) -> Received:
        row = self.deliveries[attempt["delivery_id"]]
        lane = self._lane_of(row)
        order, rank, seq = self._place(lane, row)
        started = self.now + 0.5
        self.now += takes
        received = Received(
            receiver="far",
            number=len(self.received) + 1,
            delivery=row["id"],
            position=f"{order}.{rank}.{seq}",
            lane=lane["key"],
            path=f"/{lane['key']}",
            digest=f"sha of {row['digest']}",
            started_at=started,
            ended_at=self.now - 0.5,
            status=status,
            applied_at=started + applied_after if applied else None,
        )
        self.received.append(received)
        return received
