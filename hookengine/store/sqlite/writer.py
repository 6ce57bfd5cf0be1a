"""Group commit: calls that come while the loop is busy, or while a commit runs, share the next one."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from hookengine.domain.struct import struct
from hookengine.errors import StoreError
from hookengine.store.books.asks import Ask
from hookengine.store.calm import calm
from hookengine.store.contract import CommitListener
from hookengine.store.settling import settle
from hookengine.store.sqlite.connection import SharedConnection, patient
from hookengine.store.sqlite.failures import told, undo
from hookengine.store.sqlite.transactions import Decided, commit, decide, run_group

T = TypeVar("T")
Work = Callable[[SharedConnection], Any]
Result = Any
"""What came of a call; an exception is raised where it was called."""

LARGEST_GROUP: Final = 128


@struct(kw_only=False)
class _Task:
    work: Ask | Work
    future: asyncio.Future[Any]


class GroupWriter:
    """The one connection that writes. To be used in the loop that opened it.

    Calls are decided in the loop: between threads that both want the interpreter, each statement would wait
    for its turn. A commit waits for the disk, so it has a thread, as has all that may take long or wait for
    others. Nothing lingers by the clock: a group is what there is once the loop has nothing else to do.
    Calls next to each other share a transaction; other work has one of its own. Nothing that goes wrong ends
    the writer: a connection whose transaction cannot be undone is given up for a new one.
    """

    def __init__(self, connect: Callable[[], SharedConnection]) -> None:
        self.on_commit: CommitListener = lambda seconds, calls: None
        self._connect = connect
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hookengine-writer")
        self._connection: SharedConnection | None = None
        self._waiting: deque[_Task] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = ""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._aside(self._connected)
        except BaseException as error:
            self._end("the store's writer has stopped")
            raise told(error) from error

    async def close(self) -> None:
        """What was asked before is still written."""
        if self._closed:
            return
        self._closed = "the store is closed"
        if self._serving is not None:
            await asyncio.shield(self._serving)
        self._end(self._closed)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    def ask(self, ask: Ask) -> asyncio.Future[Any]:
        """What came of the call, once it is durable. A caller that is cancelled does not stop it."""
        return self._do(ask)

    def run(self, work: Callable[[SharedConnection], T]) -> asyncio.Future[T]:
        """The result of `work` in a transaction of its own, once it is durable."""
        return self._do(work)

    def _do(self, work: Ask | Work) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError(self._closed)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise StoreError("the store was opened in another event loop: call it there")
        task = _Task(work, loop.create_future())
        self._waiting.append(task)
        if self._serving is None:
            self._serving = loop.create_task(self._serve(), name="hookengine-writer")
        return task.future

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await calm(self._waiting, LARGEST_GROUP)
                await self._write(self._next_group())
        finally:
            self._serving = None
            while self._waiting:
                settle(self._waiting.popleft().future, StoreError("the store's writer has stopped"))

    def _next_group(self) -> list[_Task]:
        """What is there, up to the first work that wants a transaction of its own."""
        group = [self._waiting.popleft()]
        if not callable(group[0].work):
            while self._waiting and len(group) < LARGEST_GROUP and not callable(self._waiting[0].work):
                group.append(self._waiting.popleft())
        return group

    async def _write(self, group: Sequence[_Task]) -> None:
        started = time.perf_counter()
        try:
            results = await self._results([task.work for task in group])
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(group))
            raise
        except BaseException as error:  # noqa: BLE001  its callers are told, the writer goes on
            failure = told(error) if isinstance(error, sqlite3.Error) else StoreError(repr(error))
            failure.__cause__ = error
            results = [failure] * len(group)
        self.on_commit(time.perf_counter() - started, len(group))
        for task, result in zip(group, results, strict=True):
            settle(task.future, result)

    async def _results(self, works: Sequence[Ask | Work]) -> Sequence[Result]:
        first = works[0]
        if callable(first):
            return [await self._aside(lambda: _run(self._connected(), first))]
        asks: Sequence[Ask] = works  # type: ignore[assignment]
        connection = self._connection
        decided = None if connection is None or connection.in_transaction else _at_once(connection, asks)
        if connection is None or decided is None:
            return await self._aside(lambda: _patiently(self._connected(), asks))
        await self._aside(lambda: commit(connection, decided))
        return decided.results

    async def _aside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _connected(self) -> SharedConnection:
        if self._connection is not None and self._connection.in_transaction:
            broken, self._connection = self._connection, None  # it could not be rolled back
            broken.close()
        if self._connection is None:
            self._connection = self._connect()
            self._connection.execute("PRAGMA busy_timeout = 0")  # the loop does not wait for other processes
        return self._connection

    def _end(self, because: str) -> None:
        """The connection is closed, and the thread ends, after what it is at."""
        self._closed = because
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _at_once(connection: SharedConnection, asks: Sequence[Ask]) -> Decided | None:
    """None if anything is in the way: that is met again in the thread, which may take its time."""
    with suppress(Exception):
        return decide(connection, asks)
    return None


def _patiently(connection: SharedConnection, asks: Sequence[Ask]) -> list[Result]:
    with patient(connection):
        return run_group(connection, asks)


def _run(connection: SharedConnection, work: Work) -> Result:
    with patient(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            undo(connection)
            if isinstance(error, Exception):
                return told(error)
            raise
        return result
