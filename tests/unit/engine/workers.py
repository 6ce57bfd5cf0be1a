"""A worker over a real store, with all that is around it in the tests' hands."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hookengine.domain.attempt import Answered, Outcome, Unknown
from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.request import RenderedRequest
from hookengine.domain.retry import RetryPolicy
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.recording import Recorder
from hookengine.engine.signals import Facts, Signals
from hookengine.engine.worker import Capacity, Worker
from hookengine.store.calls import OwedDelivery, OwedEvent
from hookengine.store.care import Definitions
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW, Clock, make_event, make_hook, make_pipeline, make_request
from tests.contract.conftest import NO_LEASE
from tests.definitions import define
from tests.sqlite import empty_database

DONE, BUSY = Answered(status=200), Answered(status=503)
PATIENCE = 60
LEASE = 50.0  # seconds, of the capacity that says nothing else


class Alarm:
    """Never rings by itself; remembers when it was to ring."""

    def __init__(self) -> None:
        self.times: list[Millis] = []
        self._news = asyncio.Event()

    def at(self, instant: Millis) -> None:
        self.times.append(instant)
        self._news.set()

    async def set_for(self, instant: Millis) -> None:
        async with asyncio.timeout(PATIENCE):
            while instant not in self.times:
                self._news.clear()
                await self._news.wait()


class FarEnd:
    """Stands in for the sender: outcomes in order, `DONE` when there are none left, held while `gate` is shut."""

    def __init__(self) -> None:
        self.outcomes: deque[Outcome | Exception] = deque()
        self.sent: list[tuple[RenderedRequest, dict[str, str], float]] = []
        self.written = False  # whether bytes have left when it is cut off
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def send(
        self,
        request: RenderedRequest,
        headers: Iterable[tuple[str, str]],
        deadline: float,
        stop: float,
        subject: str,
        hook: Hook,
    ) -> Outcome:
        self.sent.append((request, dict(headers), deadline))
        self._news.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            if self.written:
                return Unknown(reason="stopped")
            raise
        outcome = self.outcomes.popleft() if self.outcomes else DONE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def has(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.sent) < count:
                self._news.clear()
                await self._news.wait()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.sent]


class Stage:
    """A worker over a real store, with a far end, an alarm and a clock that tests move."""

    def __init__(self, store: SqliteStore, catalogue: Catalogue, clock: Clock, capacity: Capacity) -> None:
        self.store, self.clock = store, clock
        self.far_end, self.alarm, self.signals = FarEnd(), Alarm(), Signals()
        self.told: list[tuple[str, Facts]] = []
        self.signals.listen(lambda name, facts: self.told.append((name, facts)))
        self.recorder = Recorder(store, catalogue, self.signals, clock, {})
        self.worker = Worker(store, self.far_end, self.recorder, self.signals, clock, capacity)  # type: ignore[arg-type]

    async def owe(
        self, *ids: str, lane: str = "", policy: LanePolicy = LanePolicy.NONE, **changes: Any
    ) -> None:
        """Written and left due, as if another process had accepted it."""
        for delivery_id in ids:
            owed = OwedDelivery(
                id=delivery_id,
                hook_id="hook_1",
                hook_revision=1,
                lane_key=lane or delivery_id,
                policy=policy,
                request=make_request(delivery_id),
                host="target.example",
                account="target.example token",
                **changes,
            )
            event = OwedEvent(
                id=f"evt of {delivery_id}",
                event=make_event(action_id=delivery_id, number=None),
                pipeline_id=1,
                digest="",
                document="{}",
                answer="{}",
                context="{}",
                known_revision=0,
                deliveries=(owed,),
            )
            await self.store.accept([event], self.clock.now(), NO_LEASE)

    async def alarm_or_rest(self) -> None:
        """Until what was woken has looked whether anything is due: the store answers in order."""
        for _ in range(3):
            await self.store.next_due(NOW)
            await asyncio.sleep(0)

    async def heard(self, name: str, **facts: Any) -> Facts:
        for told, known in self.told:
            if told == name and facts.items() <= known.items():
                return known
        async with asyncio.timeout(PATIENCE):
            return await self.signals.wait_for(name, lambda known: facts.items() <= known.items())

    def status(self, delivery_id: str) -> tuple[str, int]:
        connection = sqlite3.connect(self.store.path)
        try:
            row: tuple[str, int] = connection.execute(
                "SELECT status, attempts FROM delivery WHERE id = ?", (delivery_id,)
            ).fetchone()
            return row
        finally:
            connection.close()


@asynccontextmanager
async def on_stage(path: Path, clock: Clock, **capacity: Any) -> AsyncIterator[Stage]:
    store = await SqliteStore.open(empty_database(path))
    hook = make_hook(timeout=30.0, retry=RetryPolicy(waits=(5_000,), jitter=0))
    defined = Definitions(pipelines=(make_pipeline(),), hooks=(hook,))
    stage = Stage(store, Catalogue(await define(store, defined, "test", NOW)), clock, Capacity(**capacity))
    try:
        yield stage
    finally:
        await store.close()


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.worker.run(stage.alarm))
    try:
        await asyncio.sleep(0)  # its first step: now it works
        yield
    finally:
        await stage.worker.stop(PATIENCE)
        await task
