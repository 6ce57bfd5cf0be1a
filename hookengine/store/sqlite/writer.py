"""Group commit: work that arrives while a commit runs shares the next one."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hookengine.errors import HookEngineError, StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

LARGEST_GROUP = 256


@dataclass(frozen=True, slots=True)
class _Task:
    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class GroupWriter:
    """One thread with the one connection that writes.

    The thread never lingers for more work: it takes what is there. Each piece of work is a savepoint, so
    that one that raises undoes itself alone; a failing commit fails all of its group.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._opened: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        opened = loop.create_future()
        self._thread = threading.Thread(target=self._live, args=(loop, opened), name="hookengine-writer")
        self._thread.start()
        await opened

    async def close(self) -> None:
        """What was asked before is still written."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._tasks.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` once it is durable. A caller that is cancelled does not stop the work."""
        if self._thread is None:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        task = _Task(work, loop.create_future(), loop)
        self._tasks.put(task)
        result: T = await task.future
        return result

    def _live(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except (sqlite3.Error, HookEngineError) as error:
            loop.call_soon_threadsafe(_settle, opened, None, _translated(error))
            return
        loop.call_soon_threadsafe(_settle, opened, None, None)
        try:
            while (group := self._next_group()) is not None:
                _commit(connection, group)
        finally:
            connection.close()

    def _next_group(self) -> list[_Task] | None:
        first = self._tasks.get()
        if first is None:
            return None
        group = [first]
        while len(group) < LARGEST_GROUP:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is None:
                self._tasks.put(None)
                break
            group.append(task)
        return group


def _commit(connection: sqlite3.Connection, group: list[_Task]) -> None:
    results: list[tuple[Any, BaseException | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [_attempt(connection, task.work) for task in group]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        results = [(None, _translated(error))] * len(group)
    for task, (result, failure) in zip(group, results, strict=True):
        task.loop.call_soon_threadsafe(_settle, task.future, result, failure)


def _attempt(connection: sqlite3.Connection, work: Work) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT work")
    try:
        result = work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite undid everything, as it does when the disk is full
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return None, _translated(error)
    connection.execute("RELEASE work")
    return result, None


def _translated(error: BaseException) -> BaseException:
    return StoreError(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error


def _settle(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.done():
        return  # its caller was cancelled meanwhile
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
