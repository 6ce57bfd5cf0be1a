"""Events over HTTP from a process of its own: python loader.py PORT FIRST COUNT RATE

64 connections kept alive, each with one request under way. RATE is events a second, 0: as fast as they are
answered. Prints when each was emitted, nanoseconds of the monotonic clock, as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import cast

import httptools
import job
import orjson
import uvloop

CONNECTIONS = 64


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self._answer.set_result(self._parser.get_status_code())

    async def post(self, body: bytes) -> int:
        """The status of the answer."""
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            "POST /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        return await self._answer


async def load(port: int, first: int, count: int, rate: float) -> list[int]:
    emitted: dict[int, int] = {}
    began = time.monotonic()
    numbers = iter(range(first, first + count))

    async def one_after_another(numbers: Iterator[int]) -> None:
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        for number in numbers:
            body = orjson.dumps(job.event(number))
            if rate:
                await asyncio.sleep(began + (number - first) / rate - time.monotonic())
            emitted[number] = time.monotonic_ns()
            status = await connection.post(body)
            assert status == 202, status
        transport.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one_after_another(numbers))
    return [emitted[number] for number in sorted(emitted)]


def main() -> None:
    port, first, count, rate = sys.argv[1:]
    print(json.dumps(uvloop.run(load(int(port), int(first), int(count), float(rate)))))


if __name__ == "__main__":
    main()
