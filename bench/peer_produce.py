"""Puts jobs into a queue: python peer_produce.py celery|taskiq FIRST COUNT RATE

RATE is jobs a second, 0: as fast as it goes. Prints when each was emitted, nanoseconds of the monotonic
clock, as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import job

AT_ONCE = 64


def paced(first: int, count: int, rate: float) -> Iterator[int]:
    began = time.monotonic()
    for number in range(first, first + count):
        if rate:
            time.sleep(max(0.0, began + (number - first) / rate - time.monotonic()))
        yield number


def celery(first: int, count: int, rate: float) -> list[int]:
    from peer_celery import app, deliver

    emitted = []
    with app.producer_pool.acquire(block=True) as producer:
        for number in paced(first, count, rate):
            event = job.event(number)
            emitted.append(time.monotonic_ns())
            deliver.apply_async((event,), producer=producer)
    return emitted


async def taskiq(first: int, count: int, rate: float) -> list[int]:
    from peer_taskiq import broker, deliver

    emitted: dict[int, int] = {}
    numbers = paced(first, count, rate)

    async def produce() -> None:
        for number in numbers:
            event = job.event(number)
            emitted[number] = time.monotonic_ns()
            await deliver.kiq(event)

    await broker.startup()
    await asyncio.gather(*(produce() for _ in range(1 if rate else AT_ONCE)))
    await broker.shutdown()
    return [emitted[number] for number in sorted(emitted)]


def main() -> None:
    name, first, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    emitted = celery(first, count, rate) if name == "celery" else asyncio.run(taskiq(first, count, rate))
    print(json.dumps(emitted))


if __name__ == "__main__":
    main()
