"""Group commit: calls that arrive while a commit runs share the next one."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from hookengine.errors import StoreError
from hookengine.store.books.asks import Ask
from hookengine.store.contract import CommitListener
from hookengine.store.sqlite.connection import SharedConnection
from hookengine.store.sqlite.telling import tell
from hookengine.store.sqlite.transactions import run_group

T = TypeVar("T")
Work = Callable[[SharedConnection], Any]
Result = Any
"""What came of a call; an exception is raised where it was called."""

LARGEST_GROUP = 256


@dataclass(frozen=True, slots=True)
class _Task:
    work: Ask | Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class GroupWriter:
    """One thread with the one connection that writes.

    The thread never lingers for more: it takes what is there. Calls next to each other share a transaction;
    other work has one of its own. Nothing that goes wrong ends the thread: a connection whose transaction
    cannot be undone is given up for a new one.
    """

    def __init__(self, connect: Callable[[], SharedConnection]) -> None:
        self.on_commit: CommitListener = lambda seconds, calls: None
        self._connect = connect
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: SharedConnection | None = None
        self._left: _Task | None = None
        self._ended = False

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        opened = loop.create_future()
        self._thread = threading.Thread(target=self._live, args=(loop, opened), name="hookengine-writer")
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._tasks.put(None)  # nobody will close it
            raise

    async def close(self) -> None:
        """What was asked before is still written."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._tasks.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def ask(self, ask: Ask) -> Any:
        """What came of the call, once it is durable. A caller that is cancelled does not stop it."""
        return await self._do(ask)

    async def run(self, work: Callable[[SharedConnection], T]) -> T:
        """The result of `work` in a transaction of its own, once it is durable."""
        result: T = await self._do(work)
        return result

    async def _do(self, work: Ask | Work) -> Any:
        if self._thread is None:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        task = _Task(work, loop.create_future(), loop)
        self._tasks.put(task)
        if self._ended:  # the thread has looked for the last time
            task.future.cancel()
            raise StoreError("the store's writer has stopped; start the process again")
        return await task.future

    def _live(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            self._connected()
        except BaseException as error:  # noqa: BLE001  whatever it is, who opens is waiting
            self._ended = True
            tell([(opened, _translated(error))], loop)
            return
        tell([(opened, None)], loop)
        try:
            while (group := self._next_group()) is not None:
                self._write(group)
        finally:
            self._end()

    def _connected(self) -> SharedConnection:
        if self._connection is not None and self._connection.in_transaction:
            broken, self._connection = self._connection, None  # it could not be rolled back
            broken.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _write(self, group: Sequence[_Task]) -> None:
        started = time.perf_counter()
        try:
            results = _results(self._connected(), [task.work for task in group])
        except BaseException as error:  # noqa: BLE001  its callers are told, the thread goes on
            failure = StoreError(f"SQLite: {error}" if isinstance(error, sqlite3.Error) else repr(error))
            failure.__cause__ = error
            results = [failure] * len(group)
        self.on_commit(time.perf_counter() - started, len(group))
        told = [(task.future, result) for task, result in zip(group, results, strict=True)]
        tell(told, group[0].loop)

    def _end(self) -> None:
        self._ended = True
        with suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    tell([(task.future, StoreError("the store's writer has stopped"))], task.loop)
        if self._connection is not None:
            self._connection.close()

    def _next_group(self) -> list[_Task] | None:
        """What is there, up to the first work that wants a transaction of its own."""
        first = self._left or self._tasks.get()
        self._left = None
        if first is None:
            return None
        group = [first]
        while callable(first.work) is False and len(group) < LARGEST_GROUP:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is None:
                self._tasks.put(None)
                break
            if callable(task.work):
                self._left = task
                break
            group.append(task)
        return group


def _results(connection: SharedConnection, works: Sequence[Ask | Work]) -> list[Result]:
    first = works[0]
    if callable(first):
        return [_run(connection, first)]
    return run_group(connection, works)  # type: ignore[arg-type]


def _run(connection: SharedConnection, work: Work) -> Result:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error counts
                connection.execute("ROLLBACK")
        if isinstance(error, Exception):
            return _translated(error)
        raise
    return result


def _translated(error: BaseException) -> BaseException:
    return StoreError(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error
