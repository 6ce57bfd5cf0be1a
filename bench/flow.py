"""What the flow costs: accepting, and accepting to recorded, against a sink on loopback.

Prints medians of several runs. Nothing is taken for granted: the rows delivered must equal the events sent.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from hookengine.app import HookEngine

RUNS = 3
EVENTS = 2000
PRODUCERS = 64

CONFIG = """
delivery: {{allow_networks: [127.0.0.0/8], concurrency: 64}}
secrets: {{insecure_plaintext: true}}
pipelines:
  - id: 1
    name: bench
    hooks:
      - name: status
        target_url: "http://127.0.0.1:{port}/repos/acme/shop/statuses/{{{{ action.sha }}}}"
        settings:
          request_headers: [{{name: Accept, value: application/json}}]
          request_body: {{state: success, context: "ci/{{{{ action.id }}}}", description: "run {{{{ action.id }}}}"}}
        trigger_when: {{events: [action.completed]}}
"""


class Sink(asyncio.Protocol):
    """Answers 204 to whatever looks like the end of a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n" * data.count(b"POST /"))  # type: ignore[attr-defined]


async def accepting(engine: HookEngine) -> None:
    numbers = iter(range(EVENTS))

    async def produce() -> None:
        for number in numbers:
            await engine.accept(
                {
                    "type": "action.completed",
                    "action": {"id": number, "pipeline": 1, "sha": f"{number:040x}"},
                }
            )

    await asyncio.gather(*(produce() for _ in range(PRODUCERS)))


async def delivering(engine: HookEngine) -> None:
    ended = 0
    done = asyncio.Event()

    def hear(name: str, facts: dict[str, object]) -> None:
        nonlocal ended
        ended += name == "delivery.ended"
        if ended == EVENTS:
            done.set()

    engine.signals.listen(hear)
    await accepting(engine)
    await asyncio.wait_for(done.wait(), 300)


async def measure(work: Callable[[HookEngine], Awaitable[None]], *, deliver: bool) -> tuple[float, float]:
    """(wall, CPU) microseconds an event."""
    loop = asyncio.get_running_loop()
    sink = await loop.create_server(Sink, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG.format(port=sink.sockets[0].getsockname()[1]))
        async with HookEngine.open(config, environ={}, deliver=deliver) as engine:
            started, used = time.perf_counter(), cpu()
            await work(engine)
            result = (time.perf_counter() - started) / EVENTS * 1e6, (cpu() - used) / EVENTS * 1e6
        if deliver:
            with sqlite3.connect(Path(folder) / "hookengine.db") as connection:
                (count,) = connection.execute(
                    "SELECT count(*) FROM delivery WHERE status = 'delivered'"
                ).fetchone()
            assert count == EVENTS, f"{count} delivered of {EVENTS}"
    sink.close()
    await sink.wait_closed()
    return result


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    for title, work, deliver in (
        ("accept, durable", accepting, False),
        ("accept to recorded", delivering, True),
    ):
        runs = [asyncio.run(measure(work, deliver=deliver)) for _ in range(RUNS)]
        wall, used = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{title:20} {1e6 / wall:8,.0f}/s   {wall:7.0f} us wall   {used:7.0f} us CPU")


if __name__ == "__main__":
    main()
