"""Connections to targets, kept per origin and lent to one request at a time.

Each client holds a single connection: httpcore's pool looks at every request and connection it has for each
request, and may lose a slot when a request is cancelled. A client whose request was cancelled is closed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

MOST_AT_ONCE = 16  # requests to one origin
MOST_ORIGINS = 256  # with connections kept

ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60)


@dataclass(slots=True)
class _Origin:
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))
    idle: list[httpx.AsyncClient] = field(default_factory=list)  # the one used last is at the end
    users: int = 0


class Connections:
    """`transport` makes a transport for a single connection."""

    def __init__(self, transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._transport = transport
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    async def close(self) -> None:
        while self._origins:
            await _close_idle(self._origins.popitem()[1])

    @asynccontextmanager
    async def lend(self, origin: str) -> AsyncIterator[httpx.AsyncClient]:
        """Waits while as many requests to this origin are under way as may be."""
        kept = await self._kept(origin)
        kept.users += 1
        try:
            async with kept.slots:
                client = kept.idle.pop() if kept.idle else self._new()
                try:
                    yield client
                except BaseException:
                    await client.aclose()
                    raise
                kept.idle.append(client)
        finally:
            kept.users -= 1
            if not kept.users and self._origins.get(origin) is not kept:
                await _close_idle(kept)  # the engine closed meanwhile

    async def _kept(self, origin: str) -> _Origin:
        kept = self._origins.setdefault(origin, _Origin())
        self._origins.move_to_end(origin)
        if len(self._origins) > MOST_ORIGINS:
            unused = next((name for name, other in self._origins.items() if not other.users), None)
            if unused is not None and unused != origin:
                await _close_idle(self._origins.pop(unused))
        return kept

    def _new(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._transport(), trust_env=False, follow_redirects=False)


async def _close_idle(origin: _Origin) -> None:
    while origin.idle:
        await origin.idle.pop().aclose()
