"""Pruning beside everything else that happens. Row 53 of the fault matrix."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from hookengine.domain.clock import Millis
from hookengine.domain.hook import LanePolicy
from hookengine.errors import StaleContext
from hookengine.store.calls import Leased, Report
from hookengine.store.care import FROM_THE_START, Horizon, LeftOff
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    SECOND,
    Database,
    Look,
    accept,
    delivered,
    owed,
    refused,
    terms,
    timed_out,
    try_again,
)

pytestmark = pytest.mark.anyio

STEPS, STEP = 100, 5 * SECOND
KEPT, FAILED_KEPT = 60 * SECOND, 120 * SECOND
AT_ONCE = 5  # rows that are pruned in a transaction
LANES = 8
POLICIES = (LanePolicy.LATEST, LanePolicy.ORDERED, LanePolicy.NONE)


class Life:
    """A store in use: events come, some again; deliveries end in every way; what is old is pruned meanwhile."""

    def __init__(self, store: Store, database: Database, dice: Random) -> None:
        self.store, self.database, self.dice = store, database, dice
        self.now: Millis = NOW
        self.accepted: dict[str, Millis] = {}  # names of events, the newest of the same id
        self.under_way: list[Leased] = []
        self.pruned = 0
        self._place: LeftOff | None = FROM_THE_START

    async def step(self) -> None:
        new = [f"n{len(self.accepted) + number}" for number in range(3)]
        known = self.dice.sample(sorted(self.accepted), min(4, len(self.accepted)))
        ended, self.under_way = self.under_way[::2], self.under_way[1::2]
        waiting = self.waiting()

        await asyncio.gather(
            *(self.emit(name) for name in new),
            *(self.emit(name) for name in known),
            *(self.store.finish(self.result(leased), self.now, terms(0)) for leased in ended),
            self.prune(),
            self.claim(),
        )

        assert waiting <= self.ids("SELECT id FROM delivery"), "something was deleted that had not ended"
        young = {f"1:evt_{name}" for name, at in self.accepted.items() if at > self.now - KEPT}
        assert young <= self.ids("SELECT id FROM event"), "an event was forgotten too early"
        self.now += STEP

    async def emit(self, name: str) -> None:
        """Again, if it was emitted before."""
        number = int(name[1:])
        policy = POLICIES[number % len(POLICIES)]
        lane = name if policy is LanePolicy.NONE else f"{policy} {number % LANES}"
        event = owed(name, lane_key=lane, policy=policy, action_id=name, number=number, state=name)
        try:
            (told,) = (await accept(self.store, event, now=self.now)).accepted
        except StaleContext:  # its action was pruned meanwhile: the engine looks again, too
            (told,) = (await accept(self.store, event, now=self.now)).accepted
        at = self.accepted.get(name)
        assert told.answer == f'{{"event":"{name}"}}'
        if told.fresh:
            assert at is None or at <= self.now - KEPT
            self.accepted[name] = self.now

    async def claim(self) -> None:
        """A little less than what comes, so that some wait for longer than what has ended is kept."""
        self.under_way += (await self.store.claim(self.now, terms(self.dice.randrange(5)))).leased

    async def prune(self) -> None:
        horizon = Horizon(delivered=self.now - KEPT, failed=self.now - FAILED_KEPT, now=self.now)
        pruned = await self.store.prune(horizon, AT_ONCE, self._place or FROM_THE_START)
        self._place = pruned.left_off
        self.pruned += pruned.rows

    def result(self, leased: Leased) -> Report:
        kind = self.dice.choice((delivered, delivered, try_again, refused, timed_out))
        return kind(leased, self.now)

    def waiting(self) -> set[str]:
        return self.ids("SELECT id FROM delivery WHERE ended_at IS NULL")

    def ids(self, query: str) -> set[str]:
        return {row["id"] for row in self.database.rows(query)}


@pytest.mark.parametrize("seed", range(2))
async def test_pruning_takes_only_what_is_old_whatever_happens_beside_it(
    store: Store, database: Database, look: Look, seed: int
) -> None:
    life = Life(store, database, Random(seed))  # noqa: S311  what happens, not a secret

    for _ in range(STEPS):
        await life.step()
        look.check()

    assert life.pruned > STEPS / 2
    assert len({*look.statuses().values()}) > 3
