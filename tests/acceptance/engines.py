"""An engine in this process, with ears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hookengine.app import HookEngine
from hookengine.domain.clock import Clock as AnyClock
from hookengine.engine.signals import Facts, Signals
from tests.acceptance.configs import PATIENCE, Config, write_config
from tests.conftest import Clock
from tests.sqlite import empty_database

FAR = 4_000_000_000_000
"""Where the engines' clocks stand: an alarm set for then never rings, so only tests move the time."""


class Ears:
    """Everything the engine's signals have told. What was told before a wait counts for it too."""

    def __init__(self, signals: Signals) -> None:
        self.told: list[tuple[str, Facts]] = []
        self._news = asyncio.Event()
        signals.listen(self._hear)

    def _hear(self, name: str, facts: Facts) -> None:
        self.told.append((name, facts))
        self._news.set()

    def of(self, name: str, **facts: Any) -> list[Facts]:
        return [heard for told, heard in self.told if told == name and facts.items() <= heard.items()]

    async def more(self) -> None:
        """Until something is told."""
        self._news.clear()
        await self._news.wait()

    async def wait_for(self, name: str, times: int = 1, **facts: Any) -> Facts:
        async with asyncio.timeout(PATIENCE):
            while len(found := self.of(name, **facts)) < times:
                self._news.clear()
                await self._news.wait()
        return found[times - 1]

    async def wait_for_any(self, delivery: str, attempt: int) -> str:
        """Until this delivery has ended or this attempt of it has: which of the two."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if self.of("delivery.ended", delivery=delivery):
                    return "delivery.ended"
                tries = self.of("attempt.finished", delivery=delivery, attempt=attempt)
                if tries and tries[0]["verdict"] == "TryAgain":
                    return "attempt.finished"
                self._news.clear()
                await self._news.wait()


class Opened:
    """A HookEngine with ears, and shortcuts to what tests ask of it."""

    def __init__(self, engine: HookEngine, ears: Ears, clock: Clock) -> None:
        self.engine, self.ears, self.clock = engine, ears, clock

    async def accept(self, document: Mapping[str, Any]) -> list[str]:
        """The ids of the deliveries it owes."""
        answer = await self.engine.accept(document)
        return [hook["delivery"] for hook in answer["hooks"]]

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        return await self.engine.parts.records.delivery(delivery_id)

    async def ended(self, delivery_id: str) -> dict[str, Any]:
        await self.ears.wait_for("delivery.ended", delivery=delivery_id)
        return await self.delivery(delivery_id)

    async def tried(self, delivery_id: str, attempt: int = 1) -> Facts:
        return await self.ears.wait_for("attempt.finished", delivery=delivery_id, attempt=attempt)

    def later(self, *, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.engine.parts.worker.wake()


@asynccontextmanager
async def opened(
    folder: Path, config: Config, clock: Clock | None = None, **arguments: Any
) -> AsyncIterator[Opened]:
    clock = clock or Clock(FAR)
    signals = Signals()
    ears = Ears(signals)
    wall: AnyClock = clock
    path = write_config(folder, config)
    if "database" not in config and not (folder / "hookengine.db").exists():
        empty_database(folder / "hookengine.db")
    async with HookEngine.open(path, clock=wall, signals=signals, **arguments) as engine:
        yield Opened(engine, ears, clock)


def delivery_of(answer: Mapping[str, Any], number: int = 0) -> str:
    delivery: str = answer["hooks"][number]["delivery"]
    return delivery
