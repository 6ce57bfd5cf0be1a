"""Reading beside the writer: one thread with one connection. Questions that wait are told together."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hookengine.errors import StoreError
from hookengine.store.sqlite.connection import SharedConnection
from hookengine.store.sqlite.failures import told
from hookengine.store.sqlite.telling import tell

T = TypeVar("T")

MOST_TOGETHER = 64


class _Asked(NamedTuple):
    question: Callable[[SharedConnection], Any]
    future: asyncio.Future[Any]


class Reader:
    """Thread and connection are there from the first question on."""

    def __init__(self, connect: Callable[[], SharedConnection], name: str) -> None:
        self._connect = connect
        self._name = name
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: SharedConnection | None = None
        self._closed = False

    async def ask(self, question: Callable[[SharedConnection], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._asked.put(_Asked(question, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, args=(loop,), name=self._name)
            self._thread.start()
        return await future

    async def close(self) -> None:
        """What was asked before is still answered."""
        self._closed = True
        self._asked.put(None)
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while (group := self._next_group()) is not None:
                tell([(asked.future, self._answer(asked.question)) for asked in group], loop)
        finally:
            if self._connection is not None:
                self._connection.close()

    def _next_group(self) -> list[_Asked] | None:
        first = self._asked.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MOST_TOGETHER and not self._asked.empty():
            following = self._asked.get()
            if following is None:
                self._asked.put(None)
                break
            group.append(following)
        return group

    def _answer(self, question: Callable[[SharedConnection], Any]) -> Any:
        """Or the exception that came of it."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            return question(self._connection)
        except sqlite3.Error as error:
            failure = told(error)
            failure.__cause__ = error
            return failure
        except Exception as error:  # noqa: BLE001  it is raised where it was asked
            return error
