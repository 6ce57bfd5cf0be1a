"""Connections to a PostgreSQL for plain functions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self, TypeVar

import asyncpg

T = TypeVar("T")


class Session:
    """A connection that waits for its answers, usable with and without a running event loop."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="postgres-session")
        try:
            self._connection: asyncpg.Connection = self._wait(lambda: asyncpg.connect(url))
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()

    def execute(self, statements: str) -> None:
        self._wait(lambda: self._connection.execute(statements))

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query with `:name` parameters finds."""
        names: list[str] = []

        def numbered(match: re.Match[str]) -> str:
            names.append(match[1])
            return f"${len(names)}"

        statement = re.sub(r"(?<!:):([a-z_]+)", numbered, query)
        found = self._wait(lambda: self._connection.fetch(statement, *[values[name] for name in names]))
        return [dict(row) for row in found]

    def close(self) -> None:
        """Also when the server has ended it."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._wait(self._connection.close)
        self._end()

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return self._thread.submit(self._loop.run_until_complete, run()).result()

    def _end(self) -> None:
        self._thread.shutdown()
        self._loop.close()
