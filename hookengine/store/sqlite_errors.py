"""What is wrong when SQLite fails, and what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from hookengine.errors import StoreError

OLDEST: Final = (3, 35)
"""The first SQLite that updates from a query and drops columns."""

PLACE: Final = "this process must be allowed to write it, and to its folder"
_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "another process holds the file: try again once that has let go of it",
    sqlite3.SQLITE_FULL: "make room on its disk, then try again",
    sqlite3.SQLITE_READONLY: PLACE,
    sqlite3.SQLITE_CANTOPEN: PLACE,
    sqlite3.SQLITE_NOTADB: "`database` must name another file",
    sqlite3.SQLITE_CORRUPT: "restore a backup",
}
"""By the first byte of the code: the others say more than anybody can use."""


def said(error: BaseException | None) -> str:
    """What SQLite says, with what to do about it."""
    advice = _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return f"{error} ({advice})" if advice else str(error)


def refuse_old_sqlite() -> None:
    """Raises StoreError."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and {'.'.join(map(str, OLDEST))} or newer is needed"
            " (use another Python, or PostgreSQL)"
        )
