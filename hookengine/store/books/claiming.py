"""Claiming: lanes that are due, and lanes that waited for something that has given way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator, Sequence

from hookengine.domain.delivery import Delivery
from hookengine.domain.lane import Lane
from hookengine.domain.retry import HOUR
from hookengine.store.books import working
from hookengine.store.books.asks import Claim
from hookengine.store.books.desk import Desk
from hookengine.store.books.outcome import Outcome
from hookengine.store.books.page import Page
from hookengine.store.books.steps import Answer, LockDue, LockWaiting, PutOff, Step, WaitedFor

FEWEST, MOST = 16, 256  # lanes looked at in one claim
EACH = 64  # lanes looked at of those that wait for the same thing

MISTAKES = (AttributeError, LookupError, TypeError, ValueError)
"""What rows that contradict each other lead to, as opposed to a database that fails."""


class Claims:
    """A node claims once at a time: of several claims in a transaction, the first gets what is due."""

    def __init__(self, desk: Desk, outcomes: Sequence[Outcome]) -> None:
        self._desk = desk
        self._outcomes = outcomes
        self._claimed: list[Page] | None = None

    def find(self, index: int, ask: Claim) -> Generator[Step, Answer, None]:
        outcome, free = self._outcomes[index], ask.terms.room.free
        outcome.more = self._claimed is not None or not free
        if outcome.more:
            return
        limit = 1 if ask.alone else min(max(free, FEWEST), MOST)
        lanes: list[Lane] = yield LockDue(self._desk.now, limit)
        while mine := [lane.id for lane in lanes if lane.token in ask.held]:
            yield PutOff(mine, self._desk.now + ask.terms.lease)
            lanes = yield LockDue(self._desk.now, limit)
        outcome.more = len(lanes) == limit
        if not (ask.alone and lanes):
            waited = yield from self._that_waited(outcome, ask, limit)
            lanes = [*waited, *lanes]  # room goes to those first: what is due now must not starve them
        self._claimed = [self._open(lane, index) for lane in lanes]

    def rescue(self, index: int) -> None:
        """Close the attempts of leases that have expired."""
        outcome = self._outcomes[index]
        for page in self._claimed or ():
            lane = page.lane
            if index not in page.touched or lane.token is None or lane.due_at > self._desk.now:
                continue
            try:
                rescued = working.rescue(self._desk, page)
            except MISTAKES:
                self._give_up(page, outcome)
                continue
            outcome.rescued += (rescued,) if rescued is not None else ()

    def hand_out(self, page: Page, index: int) -> Delivery | None:
        if page.stuck:
            return None
        taken = self._desk.taken
        try:
            return self._desk.hand_out(page)
        except MISTAKES:
            self._desk.give_back(since=taken)
            self._give_up(page, self._outcomes[index])
            return None

    def tell(self, index: int) -> None:
        """What of the lanes looked at is left for another claim, or was set aside."""
        outcome = self._outcomes[index]
        left = [page.lane for page in self._desk.pages_of.get(index, ()) if not page.stuck]
        outcome.waiting_for |= {lane.waits_for for lane in left if lane.waits_for is not None}
        outcome.more |= any(
            lane.head_id is not None
            and lane.token is None
            and lane.waits_for is None
            and lane.due_at <= self._desk.now
            for lane in left
        )

    def put_off(self) -> Generator[Step, Answer, None]:
        stuck = [page.lane.id for page in self._claimed or () if page.stuck]
        if stuck:
            yield PutOff(stuck, self._desk.now + HOUR)

    def _that_waited(self, outcome: Outcome, ask: Claim, most: int) -> Generator[Step, Answer, list[Lane]]:
        waited_for: dict[str, bool] = yield WaitedFor(self._desk.now)
        outcome.waiting_for = frozenset(waited_for)
        wanted = {
            key: 1 if one_only else room
            for key, one_only in waited_for.items()
            if (room := ask.terms.room.for_what_waits(key)) > 0
        }
        if not wanted:
            return []
        chosen = random.sample(sorted(wanted), min(len(wanted), most))
        limits = {key: min(wanted[key], EACH, max(most // len(chosen), 1)) for key in chosen}
        lanes: list[Lane] = yield LockWaiting(limits, self._desk.now)
        found = Counter(lane.waits_for for lane in lanes)
        outcome.more |= any(found[key] == limits[key] < wanted[key] for key in chosen)
        outcome.more |= bool(lanes) and len(chosen) < len(wanted)
        return lanes

    def _open(self, lane: Lane, index: int) -> Page:
        page = self._desk.open(lane)
        page.claimed = not page.touched
        page.doubts |= page.lane.token is not None
        self._desk.touch(page, index)
        return page

    def _give_up(self, page: Page, outcome: Outcome) -> None:
        """Leave the lane alone for an hour, unless another call has to do with it: that one must know."""
        if not page.claimed:
            raise ValueError(f"the rows of lane {page.lane.key!r} contradict each other")
        page.stuck = True
        outcome.stuck += (page.lane.id,)
