"""A small proxy of our own on a real socket: it knows CONNECT, and remembers what it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from hookengine.engine.wire.proxy import Proxy
from tests.unit.engine.targets import target

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Tunneller:
    """Leads every tunnel to `port` on this machine, whatever address it was asked for.

    `refusals` are answers instead, by the host asked for. `opened` is what it says to all others.
    """

    port: int = 0
    refusals: Mapping[str, bytes] = field(default_factory=dict)
    opened: bytes = OPEN
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        self.heads.append(head)
        method, authority, _ = head.split("\r\n")[0].split(" ")
        assert method == "CONNECT"
        self.asked.append(authority)
        host, _, _ = authority.rpartition(":")
        refusal = self.refusals.get(host.strip("[]"))
        writer.write(self.opened if refusal is None else refusal)
        await writer.drain()
        if refusal is None:
            await self._splice(reader, writer)

    async def _splice(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, back))
                group.create_task(_pass_on(there, writer))
        finally:
            back.transport.abort()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):  # uvloop says so of a transport that was closed
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()


@asynccontextmanager
async def a_proxy(
    talk: Tunneller, *, credentials: Callable[[], str] | None = None, by_name: bool = False
) -> AsyncIterator[Proxy]:
    async with target(talk) as url:
        port = int(url.split(":")[2].split("/")[0])
        yield Proxy(host="127.0.0.1", port=port, credentials=credentials, by_name=by_name)


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])
