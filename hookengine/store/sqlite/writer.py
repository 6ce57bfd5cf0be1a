"""Group commit: work that arrives while a commit runs shares the next one."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from hookengine.errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Result = tuple[Any, BaseException | None]

LARGEST_GROUP = 256


@dataclass(frozen=True, slots=True)
class _Task:
    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class GroupWriter:
    """One thread with the one connection that writes.

    The thread never lingers for more work: it takes what is there. Each piece of work is a savepoint, so
    that one that raises undoes itself alone; a failing commit fails all of its group. Nothing that goes
    wrong ends the thread: a connection whose transaction cannot be undone is given up for a new one.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
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

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` once it is durable. A caller that is cancelled does not stop the work."""
        if self._thread is None:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        task = _Task(work, loop.create_future(), loop)
        self._tasks.put(task)
        if self._ended:  # the thread has looked for the last time
            task.future.cancel()
            raise StoreError("the store's writer has stopped; start the process again")
        result: T = await task.future
        return result

    def _live(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            self._connected()
        except BaseException as error:  # noqa: BLE001  whatever it is, who opens is waiting
            self._ended = True
            _tell(loop, opened, (None, _translated(error)))
            return
        _tell(loop, opened, (None, None))
        try:
            while (group := self._next_group()) is not None:
                self._write(group)
        finally:
            self._end()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._connection.in_transaction:
            broken, self._connection = self._connection, None  # it could not be rolled back
            broken.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _write(self, group: Sequence[_Task]) -> None:
        try:
            results = _commit(self._connected(), [task.work for task in group])
        except BaseException as error:  # noqa: BLE001  its callers are told, the thread goes on
            failure = StoreError(f"SQLite: {error}" if isinstance(error, sqlite3.Error) else repr(error))
            failure.__cause__ = error
            results = [(None, failure)] * len(group)
        for task, result in zip(group, results, strict=True):
            _tell(task.loop, task.future, result)

    def _end(self) -> None:
        self._ended = True
        with suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    _tell(task.loop, task.future, (None, StoreError("the store's writer has stopped")))
        if self._connection is not None:
            self._connection.close()

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


def _commit(connection: sqlite3.Connection, group: Sequence[Work]) -> list[Result]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [_attempt(connection, work) for work in group]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error counts
                connection.execute("ROLLBACK")
        raise
    return results


def _attempt(connection: sqlite3.Connection, work: Work) -> Result:
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


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Result) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, future, *result)


def _settle(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.done():
        return  # its caller was cancelled meanwhile
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
