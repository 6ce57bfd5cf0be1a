"""An outcome becomes a verdict, and both are written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import tenacity

from hookengine.domain.attempt import (
    Outcome,
    describe,
    kind_of,
)
from hookengine.domain.clock import Clock, Millis
from hookengine.domain.delivery import ENDED
from hookengine.domain.event import Rank
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.response import ResponseRule
from hookengine.domain.retry import Trial, judge, next_try
from hookengine.domain.status_call import family
from hookengine.engine import signals
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.signals import Signals
from hookengine.engine.understanding import understood
from hookengine.errors import StoreError
from hookengine.store.calls import Ending, Finished, Leased, LeaseTerms, Report
from hookengine.store.contract import Store

T = TypeVar("T")

FIRST_WAIT = 0.1  # seconds, at most, until a result is written again

StatusRules = Mapping[str, tuple[ResponseRule, ...]]
"""Response rules by the family of host a recognised commit-status call goes to."""


class Recorder:
    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        signals: Signals,
        clock: Clock,
        status_rules: StatusRules,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._signals = signals
        self._clock = clock
        self._status_rules = status_rules

    async def hook_of(self, leased: Leased) -> Hook:
        """The hook as it was when the request was rendered."""
        running = self._catalogue.hook(leased.hook_id, leased.hook_revision)
        if running is not None:
            return running
        past = await self._store.hook_revision(leased.hook_id, leased.hook_revision)
        if past is None:
            raise StoreError(f"hook {leased.hook_id} revision {leased.hook_revision} is not in the store")
        return past

    async def record(
        self, leased: Leased, hook: Hook, outcome: Outcome, terms: LeaseTerms, seconds: float = 0
    ) -> Finished:
        """Judge the outcome, which took so many seconds, and write it, however long the database takes to
        come back: a result that was lost would cost a duplicate."""
        report = self._judged(leased, hook, outcome)
        finished = await self._until_written(lambda: self._store.finish(report, self._clock.now(), terms))
        self._tell(leased, hook, report, finished, seconds)
        return finished

    async def give_back(self, leased: Leased, terms: LeaseTerms, after: Millis) -> None:
        """Nothing was sent: the delivery is as if it had not been leased, and may be again `after` ms."""

        async def release() -> tuple[Ending, ...]:
            now = self._clock.now()
            return await self._store.release(leased.token, now, terms, now + after)

        self._signals.announce_endings(await self._until_written(release))

    def _judged(self, leased: Leased, hook: Hook, outcome: Outcome) -> Report:
        now = self._clock.now()
        kind = family(leased.request)
        rules = hook.responses if kind is None else hook.responses + self._status_rules.get(kind, ())
        rank = Rank.STARTED if leased.asks is not None else leased.rank
        trial = Trial(number=leased.attempt, age=now - leased.accepted_at, rank=rank, now=now)
        return understood(leased, outcome, judge(outcome, trial, hook.retry, rules), now)

    async def _until_written(self, write: Callable[[], Awaitable[T]]) -> T:
        try:
            return await write()  # as nearly always: to set up what tries again takes longer than this
        except StoreError as error:
            self._announce_failure(error)

        def tell(state: tenacity.RetryCallState) -> None:
            self._announce_failure(state.outcome.exception() if state.outcome else None)

        await asyncio.sleep(random.uniform(0, FIRST_WAIT))  # noqa: S311  it parts those who failed together
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(StoreError),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=10),
            after=tell,
            sleep=asyncio.sleep,
        ):
            with attempt:
                return await write()
        raise AssertionError("tenacity goes on until it is written")

    def _announce_failure(self, error: BaseException | None) -> None:
        self._signals.announce(signals.STORE_FAILED, doing="recording a result", error=str(error))

    def _tell(self, leased: Leased, hook: Hook, report: Report, finished: Finished, seconds: float) -> None:
        facts = {
            "delivery": leased.delivery_id,
            "hook": leased.hook_id,
            "name": hook.name,
            "event": leased.event_id,
            "attempt": leased.attempt,
            "host": leased.seat.host,
            "seconds": round(seconds, 4),
            "kind": kind_of(report.outcome),
            "outcome": describe(report.outcome),
            "verdict": type(report.verdict).__name__,
            "because": report.verdict.because,
        }
        if finished.late:
            self._signals.announce(signals.ATTEMPT_LATE, **facts)
            return
        self._signals.announce(
            signals.ATTEMPT_FINISHED,
            **facts,
            next_try=next_try(report.verdict),
            request=leased.request if leased.asks is None else leased.asks.request,
        )
        if finished.status in ENDED:
            self._signals.announce(
                signals.DELIVERY_ENDED,
                delivery=leased.delivery_id,
                status=finished.status,
                because=finished.because,
            )
        if getattr(report.verdict, "gone", False):
            self._catalogue.switch(leased.hook_id, HookState.DISABLED)
        if finished.repair_id is not None:
            self._signals.announce(signals.REPAIR_OWED, delivery=finished.repair_id)
        self._signals.announce_endings(finished.endings)
        self._signals.announce_notices(finished.notices)
