"""A node in virtual time: the real worker over a real store, with a far end that takes no time to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from hookengine.domain.attempt import Answered, Outcome
from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook
from hookengine.domain.request import RenderedRequest
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.recording import Recorder
from hookengine.engine.signals import Signals
from hookengine.engine.worker import Capacity, Worker
from hookengine.store.calls import Claimed
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import Clock
from tests.definitions import define

PATIENCE = 60.0  # seconds
POLL: Millis = 3_600_000
"""A node with a poll tells its alarm of every round, also when nothing is due."""
DONE = Answered(status=200)


class Sent(NamedTuple):
    at: Millis
    delivery: str
    url: str


class FarEnd:
    """`answer` says what becomes of a request; None: nothing, for ever."""

    def __init__(self, clock: Clock) -> None:
        self.answer: Callable[[Sent], Outcome | None] = lambda sent: DONE
        self.sent: list[Sent] = []
        self.most_at_once = 0
        self.hanging: set[asyncio.Task[Any]] = set()
        self.hung = asyncio.Event()  # one more
        self._clock = clock
        self._under_way = 0

    async def send(self, request: RenderedRequest, headers: Iterable[tuple[str, str]], *_: object) -> Outcome:
        sent = Sent(self._clock.now(), dict(headers)["webhook-id"], str(request.url))
        self.sent.append(sent)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            await asyncio.sleep(0)  # others may begin meanwhile
            outcome = self.answer(sent)
            if outcome is None:
                await self._hang()
            assert outcome is not None
            return outcome
        finally:
            self._under_way -= 1

    async def _hang(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.hanging.add(task)
        self.hung.set()
        await asyncio.Event().wait()


class Alarm:
    """Never rings: it counts the worker's rounds, and knows when the next is due."""

    def __init__(self) -> None:
        self.rounds = 0
        self.due: Millis = 0
        self._news = asyncio.Event()

    def at(self, instant: Millis) -> None:
        self.rounds, self.due = self.rounds + 1, instant
        self._news.set()

    async def another_round(self, wake: Callable[[], None]) -> None:
        rounds = self.rounds
        wake()
        while self.rounds == rounds:
            self._news.clear()
            await self._news.wait()


class Node:
    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock, **capacity: Any) -> None:
        self.store, self.clock = store, clock
        self.far_end, self.alarm, self.signals = FarEnd(clock), Alarm(), Signals()
        self.claims = 0
        recorder = Recorder(store, catalogue, self.signals, clock, {})
        self.worker = Worker(
            _Counting(store, self),  # type: ignore[arg-type]
            self.far_end,  # type: ignore[arg-type]
            recorder,
            self.signals,
            clock,
            Capacity(**{"poll": POLL, **capacity}),
        )

    async def rest(self) -> None:
        """Until nothing is left to do at this moment: of two rounds one began after all that was sent before."""
        async with asyncio.timeout(PATIENCE):
            sent = -1
            while sent < len(self.far_end.sent) or self._delivering():
                await self._delivered()
                sent = len(self.far_end.sent)
                for _ in range(2):
                    await self.alarm.another_round(self.worker.wake)

    async def until(self, instant: Millis, grain: Millis = 1) -> None:
        """From one moment at which something is due to the next, which is `grain` later at least."""
        while True:
            await self.rest()
            now = self.clock.now()
            if now >= instant:
                return
            self.clock.advance(millis=min(max(self.alarm.due, now + grain), instant) - now)

    async def _delivered(self) -> None:
        while tasks := self._delivering():
            self.far_end.hung.clear()
            hung = asyncio.create_task(self.far_end.hung.wait())
            done, _ = await asyncio.wait({*tasks, hung}, return_when=asyncio.FIRST_COMPLETED)
            hung.cancel()
            for task in done:
                task.result()

    def _delivering(self) -> set[asyncio.Task[Any]]:
        tasks = {task for task in asyncio.all_tasks() if _runs(task, Worker.deliver)}
        return tasks - self.far_end.hanging


class _Counting:
    """The store, with its claims counted."""

    def __init__(self, store: Store, node: Node) -> None:
        self._store, self._node = store, node

    async def claim(self, *arguments: Any) -> Claimed:
        self._node.claims += 1
        return await self._store.claim(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _runs(task: asyncio.Task[Any], function: Callable[..., Any]) -> bool:
    return getattr(task.get_coro(), "cr_code", None) is function.__code__


@asynccontextmanager
async def running(store: Store, clock: Clock, hooks: Sequence[Hook], **capacity: Any) -> AsyncIterator[Node]:
    defined = await define(store, Definitions(hooks=tuple(hooks)), "test", clock.now())
    node = Node(store, Catalogue(defined), clock, **capacity)
    task = asyncio.create_task(node.worker.run(node.alarm))
    try:
        await asyncio.sleep(0)  # its first step: now it works
        yield node
    finally:
        for hanging in node.far_end.hanging:
            hanging.cancel()
        await node.worker.stop(PATIENCE)
        await task
