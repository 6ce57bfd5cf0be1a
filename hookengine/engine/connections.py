"""Connections to targets, kept per origin and lent to one request at a time.

Each client holds a single connection: httpcore's pool looks at every request and connection it has for each
request, and may lose a slot when a request is cancelled. A client whose request was cancelled is closed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from hookengine.domain.clock import Clock

MOST_ORIGINS = 256  # with connections kept
LONGEST_IDLE = 60.0  # seconds

ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=LONGEST_IDLE)


@dataclass(slots=True)
class _Origin:
    idle: list[tuple[float, httpx.AsyncClient]] = field(default_factory=list)  # (since, client), newest last
    users: int = 0


class Connections:
    """`transport` makes a transport for a single connection."""

    def __init__(self, transport: Callable[[], httpx.AsyncBaseTransport], clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    async def close(self) -> None:
        while self._origins:
            await _close_idle(self._origins.popitem()[1])

    async def close_idle(self) -> None:
        """Those not used for a while: their targets have hung up, or will."""
        since = self._clock.ticks() - LONGEST_IDLE
        for kept in list(self._origins.values()):
            while kept.idle and kept.idle[0][0] <= since:
                await kept.idle.pop(0)[1].aclose()

    @asynccontextmanager
    async def lend(self, origin: str) -> AsyncIterator[httpx.AsyncClient]:
        kept = self._kept(origin)
        kept.users += 1
        try:
            await self._make_room()
            client = kept.idle.pop()[1] if kept.idle else self._new()
            try:
                yield client
            except BaseException:
                await client.aclose()
                raise
            kept.idle.append((self._clock.ticks(), client))
        finally:
            kept.users -= 1
            if not kept.users and self._origins.get(origin) is not kept:
                await _close_idle(kept)  # it is not kept any more

    def _kept(self, origin: str) -> _Origin:
        kept = self._origins.setdefault(origin, _Origin())
        self._origins.move_to_end(origin)
        return kept

    async def _make_room(self) -> None:
        if len(self._origins) > MOST_ORIGINS:
            unused = next((name for name, other in self._origins.items() if not other.users), None)
            if unused is not None:
                await _close_idle(self._origins.pop(unused))

    def _new(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._transport(), trust_env=False, follow_redirects=False)


async def _close_idle(origin: _Origin) -> None:
    while origin.idle:
        await origin.idle.pop()[1].aclose()
