"""Reading beside the writer: one thread with one connection."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hookengine.errors import StoreError
from hookengine.store.sqlite.connection import SharedConnection

T = TypeVar("T")


class Reader:
    """The connection is opened when it is first needed."""

    def __init__(self, connect: Callable[[], SharedConnection], name: str) -> None:
        self._connect = connect
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: SharedConnection | None = None
        self._closed = False

    async def ask(self, question: Callable[[SharedConnection], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    async def close(self) -> None:
        """What was asked before is still answered."""
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _answer(self, question: Callable[[SharedConnection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return question(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"SQLite: {error}") from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
