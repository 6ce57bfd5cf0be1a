"""What an error of a transaction means for those who share it."""

from __future__ import annotations

from enum import Enum
from typing import Final

import asyncpg

from hookengine.errors import StoreError, StoreRaced
from hookengine.store.database_url import shown
from hookengine.store.postgres_connection import FAILURES, store_error

DRIVER: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises. OSError includes TimeoutError."""

_AGAIN: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_LOST: Final = frozenset({"25006", "25P03", "25P04"})  # only reads are left here, or it took too long
_LOST_CLASSES: Final = frozenset({"08", "57"})  # the connection; somebody ends it, or the server
_BLOCKED: Final = "55P03"
_CANCELLED: Final = "57014"  # a statement took too long
_UNABLE_CLASSES: Final = frozenset({"53", "58", "XX"})  # no disk, no memory, input and output, broken files


class Fate(Enum):
    AGAIN = "again"  #: others were in the way, and are gone
    ALONE = "alone"  #: one of the calls is to blame
    BLOCKED = "blocked"  #: one of the calls waits for what others hold locked for too long
    ALL = "all"  #: the database cannot do it for anyone
    LOST = "lost"  #: the connection is of no use any more


def fate_of(error: BaseException) -> Fate:
    if isinstance(error, StoreRaced | asyncpg.InvalidCachedStatementError):
        return Fate.AGAIN  # the latter: somebody migrates the tables; they are looked at anew
    error = _raised_by_the_driver(error)
    if isinstance(error, asyncpg.DataError) or not isinstance(error, DRIVER):
        return Fate.ALONE
    if not isinstance(error, asyncpg.PostgresError):
        return Fate.LOST
    state = str(error.sqlstate)
    if state in _AGAIN:
        return Fate.AGAIN
    if state == _BLOCKED:
        return Fate.BLOCKED
    if state == _CANCELLED or state[:2] in _UNABLE_CLASSES:
        return Fate.ALL
    return Fate.LOST if state in _LOST or state[:2] in _LOST_CLASSES else Fate.ALONE


def told(url: str, error: BaseException) -> BaseException:
    """What a caller is told. Says nothing of the URL that could be a password."""
    if isinstance(error, TimeoutError):
        failure = StoreError(f"{shown(url)} does not answer")
    elif isinstance(error, (*FAILURES, asyncpg.InternalClientError)):
        failure = store_error(url, error)
    else:
        return error
    failure.__cause__ = error
    return failure


def _raised_by_the_driver(error: BaseException) -> BaseException:
    """SQLAlchemy wraps it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, DRIVER):
        found = found.__cause__
    return found or error
