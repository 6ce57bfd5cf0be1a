"""The measured process: an engine at its work, started and pinned by endtoend.py.

    python ours.py CONFIG WARM COUNT within AHEAD   events in process, at most AHEAD of them undelivered
    python ours.py CONFIG WARM COUNT paced RATE     events in process, so many a second
    python ours.py CONFIG WARM COUNT http           events over POST /api/events; prints the port, and "warm"

WARM deliveries come before the clock starts. In the end one JSON object: see `Result`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import job
import uvloop

from hookengine.app import HookEngine
from hookengine.app.serving import settle_down
from hookengine.engine.signals import DELIVERY_ENDED
from hookengine.web.server import answering, listening

PRODUCERS = 64
PATIENCE = 240  # seconds until a run that does not end is given up


@dataclass(slots=True, kw_only=True)
class Result:
    """`cpu` is seconds of this process and `ended` nanoseconds of the monotonic clock, both for what came
    after warming up; `emitted` is when each event was, `delivered` how many rows are, warming up included."""

    cpu: float = 0.0
    ended: int = 0
    emitted: list[int] = field(default_factory=list)
    delivered: int = 0


class Progress:
    """Counts the deliveries that ended."""

    def __init__(self, engine: HookEngine) -> None:
        self._ended = 0
        self._wanted = 0
        self._reached = asyncio.Event()
        self._fewer = asyncio.Event()
        engine.signals.listen(self._hear)

    def _hear(self, name: str, _facts: object) -> None:
        if name == DELIVERY_ENDED:
            self._ended += 1
            self._fewer.set()
            if self._ended >= self._wanted:
                self._reached.set()

    async def until(self, ended: int) -> None:
        """Raises TimeoutError."""
        self._wanted = ended
        self._reached.clear()
        if self._ended < ended:
            async with asyncio.timeout(PATIENCE):
                await self._reached.wait()

    async def room(self, emitted: int, ahead: int) -> None:
        """Returns when fewer than `ahead` of so many events are undelivered."""
        while emitted - self._ended >= ahead:
            self._fewer.clear()
            await self._fewer.wait()


async def produce(
    engine: HookEngine, progress: Progress, numbers: range, ahead: int, emitted: list[int]
) -> None:
    left, pipelines = iter(numbers), len(engine.parts.catalogue.pipelines)

    async def one_after_another() -> None:
        for number in left:
            await progress.room(number, ahead)
            event = job.event(number, pipelines)
            emitted.append(time.monotonic_ns())
            await engine.accept(event)

    async with asyncio.TaskGroup() as group:
        for _ in range(PRODUCERS):
            group.create_task(one_after_another())


async def pace(engine: HookEngine, numbers: range, rate: float, emitted: list[int]) -> None:
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in numbers:
            await asyncio.sleep(began + (number - numbers.start) / rate - time.monotonic())
            event = job.event(number)
            emitted.append(time.monotonic_ns())
            group.create_task(engine.accept(event))


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextlib.asynccontextmanager
async def over_http(engine: HookEngine) -> AsyncIterator[None]:
    with listening("127.0.0.1", 0) as listener:
        async with answering(engine.web(), listener):
            print(listener.getsockname()[1], flush=True)
            yield


@contextlib.contextmanager
def clocked(result: Result) -> Iterator[None]:
    used = cpu()
    yield
    result.cpu, result.ended = cpu() - used, time.monotonic_ns()


async def run(config: Path, warm: int, count: int, mode: str, figure: float) -> Result:
    """All but `delivered` of it."""
    result = Result()
    numbers = range(warm, warm + count)
    async with HookEngine.open(config, environ=job.ENVIRON) as engine:
        settle_down()
        progress = Progress(engine)
        if mode == "http":
            async with over_http(engine):
                await progress.until(warm)
                print("warm", flush=True)
                with clocked(result):
                    await progress.until(warm + count)
        else:
            await produce(engine, progress, range(warm), PRODUCERS, [])
            await progress.until(warm)
            with clocked(result):
                if mode == "within":
                    await produce(engine, progress, numbers, int(figure), result.emitted)
                else:
                    await pace(engine, numbers, figure, result.emitted)
                await progress.until(warm + count)
    return result


async def delivered(database: str) -> int:
    """Rows, counted past the engine."""
    counting = "SELECT count(*) FROM delivery WHERE status = 'delivered'"
    if database.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(database.partition(":///")[2])) as connection:
            return int(connection.execute(counting).fetchone()[0])
    import asyncpg

    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval(counting))
    finally:
        await connection.close()


def main() -> None:
    config, warm, count, mode, figure = *sys.argv[1:5], (sys.argv[5:] or ["0"])[0]
    result = uvloop.run(run(Path(config), int(warm), int(count), mode, float(figure)))
    result.delivered = asyncio.run(delivered(json.loads(Path(config).read_text())["database"]))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
