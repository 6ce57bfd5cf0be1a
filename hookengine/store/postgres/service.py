"""A task with a connection that serves calls in groups."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from hookengine.errors import StoreError
from hookengine.store.calm import calm
from hookengine.store.postgres.connecting import leave
from hookengine.store.postgres.waiting import LARGEST_GROUP, Call, Waiting, settle

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds until connecting is tried again

Connect = Callable[[], Awaitable[asyncpg.Connection]]
Told = Callable[[BaseException], BaseException]
"""What a caller is told of an error."""


class Service(ABC):
    """Calls that come while a group is served, or while the loop is busy, are the next one.

    No call is cancelled on its way; its caller may go. A connection that is lost is given up for a new one.
    """

    def __init__(self, connect: Connect, told: Told) -> None:
        self._connect = connect
        self._told = told
        self._waiting = Waiting()
        self._arrived = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._trouble: BaseException | None = None  # why the last connection was given up
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @abstractmethod
    async def _serve(self, connection: asyncpg.Connection, group: list[Call]) -> None:
        """Settle each call, or put it back; raises nothing."""
        ...

    async def _use(self, connection: asyncpg.Connection, *, again: bool) -> None:
        """A connection was made; not the first one if `again`."""
        return

    async def open(self) -> None:
        """Raises one of `failures.DRIVER`."""
        await self._make_connection(again=False)
        self._task = asyncio.create_task(self._live(), name=f"hookengine {type(self).__name__}")

    async def close(self) -> None:
        """What was asked before is still done."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def ask(self, ask: Any) -> asyncio.Future[Any]:
        """What came of the call. A caller that is cancelled does not stop it."""
        if self._closing or self._task is None:
            raise StoreError("the store is closed")
        call = self._waiting.add(ask)
        self._arrived.set()
        return call.future

    async def _live(self) -> None:
        try:
            while self._waiting or not self._closing:
                if not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                await calm(self._waiting, LARGEST_GROUP)
                connection = await self._connected()
                if connection is not None:
                    await self._serve_all(connection, self._waiting.take_group())
        finally:
            self._closing = True
            self._waiting.end(StoreError("the store is closed"))
            if self._connection is not None:
                await leave(self._connection)

    def _lost(self, group: list[Call], error: Exception) -> None:
        """The calls wait for another connection, those that still have patience."""
        self._trouble = self._told(error)
        self._waiting.put_back(group)
        self._waiting.expire(self._trouble)

    async def _serve_all(self, connection: asyncpg.Connection, group: list[Call]) -> None:
        if not group:
            return
        try:
            await self._serve(connection, group)
        except Exception as error:  # noqa: BLE001  a mistake of ours must not stop the task
            settle(group, self._told(error))
        except BaseException:
            settle(group, StoreError("the store is closed"))
            raise

    async def _connected(self) -> asyncpg.Connection | None:
        """None if nobody waits for it any more."""
        pause, failure = _SHORTEST_PAUSE, self._trouble or self._told(TimeoutError())
        while self._connection is None or self._connection.is_closed():
            connecting = asyncio.create_task(self._make_connection(again=True))
            while not connecting.done():
                await asyncio.wait({connecting}, timeout=self._waiting.patience())
                self._waiting.expire(failure)
                if not self._waiting:
                    connecting.add_done_callback(_retrieve)
                    connecting.cancel()
                    return None
            if (error := connecting.exception()) is None:
                break
            failure = self._told(error)
            self._waiting.expire(failure)
            if not self._waiting:
                return None
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  nodes do not come all at once
            pause = min(2 * pause, _LONGEST_PAUSE)
        return self._connection

    async def _make_connection(self, *, again: bool) -> None:
        connection = await self._connect()
        try:
            await self._use(connection, again=again)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection


def _retrieve(task: asyncio.Task[None]) -> None:
    """Nobody wants to know."""
    if not task.cancelled():
        task.exception()
