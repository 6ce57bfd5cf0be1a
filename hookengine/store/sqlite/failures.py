"""What goes wrong in SQLite: how it is told, and how what was begun is undone."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from hookengine.errors import StoreError
from hookengine.store.sqlite_errors import said


def told(error: BaseException) -> BaseException:
    """The database's own errors are StoreErrors to callers; others stay what they are."""
    return StoreError(f"SQLite: {said(error)}") if isinstance(error, sqlite3.Error) else error


def undo(connection: sqlite3.Connection) -> None:
    """The open transaction, if there still is one. Raises nothing: whatever led here counts."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
