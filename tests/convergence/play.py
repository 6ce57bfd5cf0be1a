"""An engine and a host, and everything that goes wrong between them. Time is the test's own; only timeouts are real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from hookengine.simulators import Host, Received, serve
from tests.acceptance.configs import a_config
from tests.acceptance.engines import FAR, Opened, opened
from tests.conftest import Clock
from tests.convergence.hosts import TOKEN, Family, place_of
from tests.convergence.verdict import Witness
from tests.convergence.world import News, Place

PATIENCE = 60.0
LARGEST_BATCH = 12
_KEPT = ("authorization", "content-type", "user-agent")
LONG = 20 * 60.0  # seconds, in which everything that waits is due again
ROUNDS = 200  # of that long, at most, until nothing waits any more


class Play:
    def __init__(
        self, host: Host, folder: Path, address: str, hook: Mapping[str, Any], random: Random
    ) -> None:
        self.host = host
        self._address = address
        self.witness = Witness()
        self._random = random
        self._folder = folder
        self._config = a_config(dict(hook))
        self._clock = Clock(FAR)
        self._stack = AsyncExitStack()
        self._engine: Opened
        host.clock = self._clock.now

    async def start(self) -> None:
        self._engine = await self._stack.enter_async_context(opened(self._folder, self._config, self._clock))

    async def stop(self) -> None:
        """What is on its way is cut off, and the host may go on with it."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def through(self, told: Sequence[News]) -> None:
        """Tell all of it while things go wrong, then let everything come to rest."""
        left = list(told)
        while left:
            batch = [left.pop(0) for _ in range(min(self._random.randint(1, LARGEST_BATCH), len(left)))]
            await self._tell_through_troubles(batch, left)
        self.host.faults.clear()
        await self._come_to_rest()

    async def then_somebody_else(self, told: Sequence[News], places: Collection[Place]) -> None:
        """Tell all of it, then send the first request of each of these places once more, as a proxy might, and let
        everything come to rest."""
        for news in told:
            await self._tell([news])
            await self._idle()
        first: dict[Place, Received] = {}
        for received in self.host.received:
            if (place := place_of(received)) in places and place is not None:
                first.setdefault(place, received)
        async with httpx.AsyncClient(base_url=self._address) as somebody:
            for received in first.values():
                await somebody.post(
                    f"{received.path}?{received.query}",
                    content=received.content,
                    headers={name: received.headers[name] for name in _KEPT},
                )
        await self._come_to_rest()

    async def _tell_through_troubles(self, batch: Sequence[News], left: list[News]) -> None:
        gate = self._plan_troubles()
        await self._tell(batch)
        if self._random.random() < 0.15:
            await self.stop()
            await self.start()
        await self._idle()
        if gate is not None:
            await self._tell(self._newer_than_what_is_held(left))
            await self._idle()
            gate.set()  # what was held is applied now, after what came later
        await self._settled()  # also what a stop has cut off: time must not fly while the host works on it
        self._engine.later(seconds=self._random.choice((0.0, 1.0, 60.0, 90.0, 240.0)))
        await self._claimed()

    def _plan_troubles(self) -> asyncio.Event | None:
        """With an event, a request is held until it is set."""
        random, host = self._random, self.host
        if random.random() < 0.3:
            host.fail_next(random.choice((500, 502, 503)), times=random.randint(1, 3))
        if random.random() < 0.15:
            host.fail_next(429, headers={"Retry-After": str(random.randint(1, 120))})
        if random.random() < 0.25:
            applied = random.random() < 0.7
            host.drop_next(applied, where=self.witness.drops if applied else None)
        if random.random() < 0.2:
            gate = asyncio.Event()
            host.delay_next(gate, where=lambda received: place_of(received) is not None)
            return gate
        return None

    def _newer_than_what_is_held(self, left: list[News]) -> list[News]:
        """Taken from what is left to tell."""
        open_ones = {place_of(one) for one in self.host.received if _is_open(one)}
        chosen = [news for news in left if news.place in open_ones][:3]
        for news in chosen:
            left.remove(news)
        return chosen

    async def _tell(self, batch: Sequence[News]) -> None:
        await asyncio.gather(*[self._engine.engine.accept(news.document) for news in batch])

    async def _idle(self) -> None:
        """Until no request is on its way."""
        room, heard = self._engine.engine.parts.worker.room, self._engine.ears
        async with asyncio.timeout(PATIENCE):
            while room.taken:
                await heard.more()

    async def _settled(self) -> None:
        """Until the host has done, or given up, whatever reached it."""
        async with asyncio.timeout(PATIENCE):
            if self.host.received:
                await self.host.wait_for(lambda _: not any(map(_is_open, self.host.received)))

    async def _come_to_rest(self) -> None:
        parts = self._engine.engine.parts
        for _ in range(ROUNDS):
            await self._idle()
            await self._settled()
            counts = [await parts.store.figures(self._clock.now()) for _ in range(2)]
            if not any(figures.waiting or figures.leases for figures in counts):
                return  # counted twice: what was recorded between two counts of one may be in neither
            self._engine.later(seconds=LONG)
            await self._claimed()
        raise AssertionError(f"{counts[-1].waiting} deliveries still wait")

    async def _claimed(self) -> None:
        """Until the worker has taken what is due: time must not fly while it asks for leases."""
        parts = self._engine.engine.parts
        async with asyncio.timeout(PATIENCE):
            while parts.worker.last_round != self._clock.ticks():  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0)
            await parts.store.writable()  # behind the claim


def _is_open(received: Received) -> bool:
    return received.status is None and not received.dropped


@asynccontextmanager
async def playing(
    family: Family, folder: Path, random: Random, monkeypatch: pytest.MonkeyPatch, **hook: Any
) -> AsyncIterator[Play]:
    monkeypatch.setenv("TOKEN_OF_HOSTS", TOKEN)
    monkeypatch.setattr("hookengine.app.engine.GRACE", 0.0)
    host = family.host()
    async with serve([host]) as (address,):
        play = Play(host, folder, address, family.hook(address + host.api, **hook), random)
        watching: asyncio.Task[Any] = asyncio.create_task(host.wait_for(play.witness.sees))
        await play.start()
        try:
            yield play
        finally:
            watching.cancel()
            host.abandon()
            await play.stop()
