"""A target in a process of its own: `python -m tests.faults.targets NAME JOURNAL SEED`.

It says the ports it listens on, for requests and for orders, and ends when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.faults.targets.behaviour import Rule
from tests.faults.targets.journal import Journal
from tests.faults.targets.server import TargetServer


class Orders:
    """What `TargetProcess` asks for."""

    def __init__(self, server: TargetServer, port: int) -> None:
        self.server, self.port = server, port

    async def obey(self, name: str, body: bytes) -> str:
        said = await getattr(self, name)(json.loads(body))
        return json.dumps(said or {})

    async def plan(self, rule: dict[str, object]) -> None:
        self.server.rules.append(Rule.from_json(rule))

    async def clear(self, _: None) -> None:
        self.server.rules.clear()

    async def release(self, _: None) -> None:
        self.server.release()

    async def go_down(self, _: None) -> None:
        await self.server.close()

    async def come_back(self, _: None) -> None:
        await self.server.open(self.port)

    async def wait_for_change(self, wanted: dict[str, float]) -> dict[str, int]:
        after, seconds = int(wanted["after"]), wanted["seconds"]
        journal = self.server.journal
        return {"changes": await asyncio.to_thread(journal.wait_for_change, after, min(seconds, 5.0))}


async def main(name: str, journal: str, seed: str) -> None:
    written = Journal(name, Path(journal))
    server = TargetServer(written, int(seed))
    port = await server.open()
    desk = TargetServer(Journal(f"orders of {name}"), control=Orders(server, port).obey)
    control = await desk.open()
    sys.stdout.write(json.dumps([port, control]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await desk.close()
    await server.close()
    written.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
