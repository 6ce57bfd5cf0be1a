"""Fresh, migrated databases to measure stores on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import stage

from hookengine.store.contract import Store
from hookengine.store.migrations import upgrade
from hookengine.store.postgres import PostgresStore
from hookengine.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Kind:
    """`new` makes an empty database and returns its URL."""

    name: str
    new: Callable[[], str]


def kinds(folder: Path, stack: ExitStack) -> Iterator[Kind]:
    """Those that can be had; why another one cannot is said."""
    numbers = itertools.count()
    yield Kind("sqlite", lambda: f"sqlite:///{folder}/{next(numbers)}.db")
    try:
        yield Kind("postgres", stack.enter_context(stage.postgres()))
    except stage.Missing as error:
        print(f"  left out, PostgreSQL: {error}")


def migrated(kind: Kind) -> str:
    """The URL of a new database with all tables. Runs an event loop of its own."""
    url = kind.new()
    upgrade(url)
    return url


async def opened(url: str) -> Store:
    if url.startswith("sqlite"):
        return await SqliteStore.open(_path(url))
    return await PostgresStore.open(url)


def execute(url: str, statements: Sequence[str]) -> None:
    """Beside the store, each in a transaction of its own."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(_path(url), isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    asyncio.run(_execute(url, statements))


async def _execute(url: str, statements: Sequence[str]) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _path(url: str) -> Path:
    return Path(url.partition(":///")[2])
