from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hookengine.engine.signals import Signals
from hookengine.engine.upkeep import PRUNE_AT_ONCE, Retention, ScheduledAlarm, Upkeep, new_scheduler
from hookengine.errors import StoreError
from hookengine.store.care import Horizon, Pruned
from tests.conftest import NOW, Clock

pytestmark = pytest.mark.anyio


class Store:
    """Prunes and mends what it is told to."""

    def __init__(self, *found: int | Exception) -> None:
        self.found = list(found)
        self.asked: list[tuple[Any, ...]] = []

    async def prune(self, *asked: Any) -> Pruned:
        """What was found last is the last."""
        rows = self._next(asked)
        return Pruned(rows=rows, left_off=(0, len(self.asked)) if self.found else None)

    async def sweep(self, *asked: int) -> int:
        return self._next(asked)

    def _next(self, asked: tuple[Any, ...]) -> int:
        self.asked.append(asked)
        found = self.found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


class Told:
    def __init__(self, signals: Signals) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        signals.listen(lambda name, facts: self.told.append((name, facts)))


def upkeep(store: Store, clock: Clock) -> tuple[Upkeep, Told]:
    signals = Signals()
    told = Told(signals)
    return Upkeep(store, signals, clock, Retention(delivered=1_000, failed=5_000)), told  # type: ignore[arg-type]


async def test_pruning_goes_on_from_where_it_left_off_until_nothing_is_left(clock: Clock) -> None:
    store = Store(PRUNE_AT_ONCE, PRUNE_AT_ONCE, 7)
    care, told = upkeep(store, clock)

    pruned = await care.prune()

    assert pruned == 2 * PRUNE_AT_ONCE + 7
    horizon = Horizon(delivered=NOW - 1_000, failed=NOW - 5_000, now=NOW)
    assert store.asked == [(horizon, PRUNE_AT_ONCE, place) for place in ((0, 0), (0, 1), (0, 2))]
    assert told.told == [("upkeep.done", {"task": "prune", "count": pruned})]


async def test_pruning_that_fails_keeps_count_of_what_was_done(clock: Clock) -> None:
    care, told = upkeep(Store(PRUNE_AT_ONCE, StoreError("locked")), clock)

    pruned = await care.prune()

    assert pruned == PRUNE_AT_ONCE
    assert told.told[0] == ("store.failed", {"doing": "pruning", "error": "locked"})


async def test_sweeping_tells_what_it_mended(clock: Clock) -> None:
    care, told = upkeep(Store(2, StoreError("locked")), clock)

    mended = [await care.sweep(), await care.sweep()]

    assert mended == [2, 0]
    assert told.told == [
        ("upkeep.done", {"task": "sweep", "count": 2}),
        ("store.failed", {"doing": "sweeping", "error": "locked"}),
    ]


def test_all_of_it_is_done_periodically(clock: Clock) -> None:
    scheduler = new_scheduler()

    upkeep(Store(), clock)[0].schedule(scheduler)

    assert {job.id for job in scheduler.get_jobs()} == {"prune", "sweep", "tidy"}


class Bell:
    def __init__(self, clock: Clock) -> None:
        self.rings = 0
        self.scheduler: AsyncIOScheduler = new_scheduler()
        self.alarm = ScheduledAlarm(self.scheduler, self._ring, clock)

    def _ring(self) -> None:
        self.rings += 1

    @property
    def set_for(self) -> list[datetime]:
        return [job.trigger.run_date for job in self.scheduler.get_jobs()]

    async def come(self) -> None:
        """What the scheduler does when the time has come."""
        (job,) = self.scheduler.get_jobs()
        job.remove()
        await job.func()


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW / 1000 + seconds, UTC)


async def test_a_job_that_is_cut_off_by_the_end_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    scheduler = new_scheduler()
    scheduler.add_job(job)
    scheduler.start()
    await begun.wait()
    scheduler.shutdown(wait=False)
    await ended.wait()
    await asyncio.sleep(0)

    assert caplog.records == []


def test_an_alarm_for_now_rings_at_once(clock: Clock) -> None:
    bell = Bell(clock)

    bell.alarm.at(NOW)
    bell.alarm.at(NOW - 1)

    assert (bell.rings, bell.set_for) == (2, [])


def test_of_several_times_the_earliest_counts(clock: Clock) -> None:
    bell = Bell(clock)

    for seconds in (10, 5, 7):
        bell.alarm.at(NOW + seconds * 1000)

    assert (bell.rings, bell.set_for[-1:]) == (0, [moment(5)])


async def test_an_alarm_that_rang_can_be_set_for_later(clock: Clock) -> None:
    bell = Bell(clock)
    bell.alarm.at(NOW + 5_000)

    await bell.come()
    bell.alarm.at(NOW + 9_000)

    assert (bell.rings, bell.set_for) == (1, [moment(9)])
