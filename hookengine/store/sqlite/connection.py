"""Connections to the file, which plain statements and SQLAlchemy share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

T = TypeVar("T")

BUSY_TIMEOUT = 5.0  # seconds another process may hold the file, a backup for instance
MOMENT = 0.05  # seconds in which nobody can write while the log waits for its readers


class SharedConnection(sqlite3.Connection):
    """Transactions are begun and ended by plain statements only: SQLAlchemy has no say in them."""

    _engine: Engine | None = None

    def commit(self) -> None:
        """SQLAlchemy asks for it; whoever began the transaction ends it."""

    def rollback(self) -> None:
        """As `commit`."""

    def lend(self, work: Callable[[Connection], T]) -> T:
        """What `work` comes to on this connection. Raises sqlite3.Error, as plain statements do."""
        if self._engine is None:
            self._engine = create_engine("sqlite://", creator=lambda: self, poolclass=StaticPool)
        try:
            with self._engine.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise error.orig from None  # without the statement's values
            raise


def connect(path: Path, timeout: float = BUSY_TIMEOUT) -> SharedConnection:
    """Transactions are begun by hand: a transaction that reads before it writes cannot be made to wait.

    `timeout`: how many seconds a statement waits for another process.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=timeout, check_same_thread=False, factory=SharedConnection
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA temp_store = MEMORY")  # savepoints keep their undo pages there
    connection.execute("PRAGMA cache_size = -65536")  # 64 MiB
    return connection


@contextmanager
def patient(connection: sqlite3.Connection) -> Iterator[None]:
    """A connection that else waits for nobody waits for other processes here."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
    try:
        yield
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def empty_log(connection: SharedConnection) -> None:
    """Into the database, as far as those let it who read what was before; the file is cut off if it got empty.

    Whoever waits for readers keeps writers waiting too: what can be copied beside them goes first.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {MOMENT * 1000:.0f}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
