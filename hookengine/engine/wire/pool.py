"""Connections to targets, kept by the way they lead and lent to one request at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from hookengine.domain.clock import Clock
from hookengine.engine.wire.connection import Connection
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken
from hookengine.guard.address import AddressPolicy
from hookengine.guard.url import Target

LONGEST_IDLE = 120.0  # seconds: below what address translation forgets flows after
MOST_IDLE = 1024  # connections kept


class Pool:
    """Belongs to one event loop. How many requests may be under way at once is for others to decide."""

    def __init__(self, dialler: Dialler, policy: AddressPolicy, clock: Clock) -> None:
        self._dialler = dialler
        self._clock = clock
        self._policy = policy
        self._idle: dict[Connection, str] = {}  # longest idle first, with their ways
        self._by_way: defaultdict[str, list[Connection]] = defaultdict(list)  # newest last
        self._lent: dict[Connection, str] = {}
        self._open: set[Connection] = set()
        self._all_lost = asyncio.Event()

    @property
    def policy(self) -> AddressPolicy:
        return self._policy

    @policy.setter
    def policy(self, policy: AddressPolicy) -> None:
        """No connection that was made under another one is used again."""
        if policy != self._policy:
            self._policy = policy
            self._lent.clear()
            self._drop_idle()

    async def run(self, exchange: Exchange, target: Target) -> None:
        """Returns when there is an answer, also the beginning of one.

        Raises Refused, Broken, Late or what the gate raises; `exchange.written` tells whether bytes have left.
        """
        way = self._dialler.way_to(target)
        connection = self._begun(exchange, way) or await self._opened(exchange, target, way)
        if not exchange.done:
            exchange.ended = exchange.loop.create_future()
            try:
                await exchange.ended
            except asyncio.CancelledError:
                connection.give_up(exchange)
                raise
        if exchange.failure is not None:
            raise exchange.failure

    async def close(self) -> None:
        """Also what is under way."""
        self._lent.clear()
        for connection in list(self._open):
            connection.cut() if connection not in self._idle else connection.drop()
        while self._open:
            self._all_lost.clear()
            await self._all_lost.wait()

    async def close_idle(self) -> None:
        """Those not used for a while: their targets have hung up, or will."""
        since = self._clock.ticks() - LONGEST_IDLE
        while self._idle and (connection := next(iter(self._idle))).idle_since <= since:
            connection.drop()

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def open(self) -> int:
        return len(self._open)

    def _begun(self, exchange: Exchange, way: str) -> Connection | None:
        """The kept connection that its bytes are on. Of one that had hung up the next takes the place, as no byte
        was written."""
        while (kept := self._by_way.get(way)) is not None:
            connection = kept[-1]
            self._take(connection)
            if self._started(connection, exchange):
                return connection
        return None

    async def _opened(self, exchange: Exchange, target: Target, way: str) -> Connection:
        """A new connection that its bytes are on."""
        policy = self._policy
        connection = await self._dialler.open(target, policy, exchange, self)
        if connection.closing:
            raise Broken("reset", "the target hung up at once")
        self._open.add(connection)
        if policy == self._policy:
            self._lent[connection] = way
        if not self._started(connection, exchange):
            raise Broken("reset", "the target hung up at once")
        return connection

    def _started(self, connection: Connection, exchange: Exchange) -> bool:
        try:
            return connection.begin(exchange)
        except BaseException:
            if not connection.closing and not exchange.written:
                self.keep(connection)
            raise

    def _take(self, connection: Connection) -> None:
        way = self._idle.pop(connection)
        self._lent[connection] = way
        kept = self._by_way[way]
        kept.remove(connection)
        if not kept:
            del self._by_way[way]

    def _drop_idle(self) -> None:
        while self._idle:
            next(iter(self._idle)).drop()

    # What connections tell

    def keep(self, connection: Connection) -> None:
        way = self._lent.pop(connection, None)
        if way is None:
            connection.drop()
            return
        connection.idle_since = self._clock.ticks()
        self._idle[connection] = way
        self._by_way[way].append(connection)
        if len(self._idle) > MOST_IDLE:
            next(iter(self._idle)).drop()

    def forget(self, connection: Connection) -> None:
        self._lent.pop(connection, None)
        if connection in self._idle:
            self._take(connection)
            del self._lent[connection]

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._all_lost.set()
