"""Who owns the file: one process may deliver from it; others may read and write beside that one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from hookengine.errors import StoreBusy, StoreError
from hookengine.store.migrations import pending, upgrade


def owned(path: Path) -> TextIO:
    """The lock, with the newest tables there. Raises StoreBusy, StoreError."""
    lock = _own(path)
    try:
        upgrade(f"sqlite:///{path}")
    except BaseException:
        lock.close()
        raise
    return lock


def beside(path: Path) -> None:
    """The newest tables are there. Nobody migrates under a process that goes on with the ones of before.

    Raises StoreBusy, StoreError.
    """
    if pending(f"sqlite:///{path}"):
        owned(path).close()


def _own(path: Path) -> TextIO:
    """Held until the process ends, however it ends. The database file itself may not be locked: SQLite does."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = beside.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{beside} cannot be made: {error.strerror or error}; "
            f"give {path} a place in a folder this process may write to"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise StoreBusy(
            f"{path} is in use by process {owner or 'unknown'}; one process owns a SQLite database: "
            "talk to that one over HTTP, or stop it first"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
