"""Periodic care, and the alarm that wakes the worker when the next delivery is due. Both tick on APScheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hookengine.domain.clock import Clock, Millis, as_datetime
from hookengine.domain.retry import DAY
from hookengine.engine import signals
from hookengine.engine.signals import Signals
from hookengine.errors import StoreError
from hookengine.store.care import FROM_THE_START, Horizon, LeftOff
from hookengine.store.contract import Store

PRUNE_EVERY = 3600  # seconds
SWEEP_EVERY = 300
TIDY_EVERY = 60
PRUNE_AT_ONCE = 500  # rows of a kind in one transaction, so that pruning never holds up deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what has ended is kept. Events are known again, and told the same, as long as `delivered`."""

    delivered: Millis = 30 * DAY
    failed: Millis = 90 * DAY


def _is_news(record: logging.LogRecord) -> bool:
    """That a job is cut off is what stopping the scheduler comes to, not a mistake."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


logging.getLogger("apscheduler.executors.default").addFilter(_is_news)


def new_scheduler() -> AsyncIOScheduler:
    """Jobs that were missed run once, late, rather than not at all."""
    return AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )


class ScheduledAlarm:
    """One job, moved to the earliest time asked for."""

    def __init__(self, scheduler: AsyncIOScheduler, wake: Callable[[], None], clock: Clock) -> None:
        self._scheduler = scheduler
        self._wake = wake
        self._clock = clock
        self._set_for: Millis | None = None

    def at(self, instant: Millis) -> None:
        if instant <= self._clock.now():
            self._ring()
        elif self._set_for is None or instant < self._set_for:
            self._set_for = instant
            self._scheduler.add_job(
                self._rung, DateTrigger(as_datetime(instant)), id="wake", replace_existing=True
            )

    async def _rung(self) -> None:
        """A coroutine, since the scheduler runs plain functions in a thread of their own."""
        self._ring()

    def _ring(self) -> None:
        self._set_for = None
        self._wake()


class Upkeep:
    def __init__(
        self, store: Store, signals: Signals, clock: Clock, retention: Retention, settle: Millis = 60_000
    ) -> None:
        self._store = store
        self._signals = signals
        self._clock = clock
        self._retention = retention
        self._settle = settle

    def schedule(self, scheduler: AsyncIOScheduler) -> None:
        scheduler.add_job(self.prune, IntervalTrigger(seconds=PRUNE_EVERY), id="prune")
        scheduler.add_job(self.sweep, IntervalTrigger(seconds=SWEEP_EVERY), id="sweep")
        scheduler.add_job(self.tidy, IntervalTrigger(seconds=TIDY_EVERY), id="tidy")

    async def prune(self) -> int:
        """Delete what has ended long enough ago; about how many rows went."""
        now, rows = self._clock.now(), 0
        kept = self._retention
        horizon = Horizon(delivered=now - kept.delivered, failed=now - kept.failed, now=now)
        place: LeftOff | None = FROM_THE_START
        try:
            while place is not None:
                pruned = await self._store.prune(horizon, PRUNE_AT_ONCE, place)
                rows, place = rows + pruned.rows, pruned.left_off
        except StoreError as error:
            self._signals.announce(signals.STORE_FAILED, doing="pruning", error=str(error))
        self._signals.announce(signals.UPKEEP_DONE, task="prune", count=rows)
        return rows

    async def sweep(self) -> int:
        """Mend lanes that were left without a head; how many, which should be none."""
        try:
            mended = await self._store.sweep(self._clock.now(), self._settle)
        except StoreError as error:
            self._signals.announce(signals.STORE_FAILED, doing="sweeping", error=str(error))
            return 0
        self._signals.announce(signals.UPKEEP_DONE, task="sweep", count=mended)
        return mended

    async def tidy(self) -> None:
        try:
            await self._store.tidy()
        except StoreError as error:
            self._signals.announce(signals.STORE_FAILED, doing="tidying", error=str(error))
