"""Connections to PostgreSQL, and what is wrong when they fail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hookengine.errors import StoreError
from hookengine.store.database_url import shown

CONNECT_TIMEOUT: Final = 10.0  # seconds

FAILURES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)
"""What comes out of a connection to PostgreSQL."""

_ADVICE: Final[Mapping[str, str]] = {
    "3D000": "make it with `createdb`, owned by this user",
    "28P01": "check user and password",
    "28000": "check the user, and what pg_hba.conf lets it do",
    "42501": "the database must belong to this user",
    "53300": "raise max_connections, or lower what each node takes",
}
"""What to do about an error, by its SQLSTATE."""


class UnreadableUrl(ConnectionError):
    """Quotes nothing of it."""


async def connect(url: str, **options: Any) -> asyncpg.Connection:
    """Raises one of FAILURES."""
    try:
        return await asyncpg.connect(url, **{"timeout": CONNECT_TIMEOUT, **options})
    except asyncpg.InterfaceError:
        raise
    except ValueError:  # it quotes what it could not read, which may be a part of the password
        raise UnreadableUrl("the URL of the PostgreSQL database cannot be understood") from None


def postgres_engine(url: str, **options: Any) -> AsyncEngine:
    """Of SQLAlchemy. asyncpg reads the URL itself: it knows sslmode and its like, and SQLAlchemy does not."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url),
        **options,
    )


def store_error(url: str, error: Exception) -> StoreError:
    """What one of FAILURES means. Says nothing of the URL that could be its password."""
    cause = _raised_by_the_driver(error)
    if isinstance(cause, asyncpg.PostgresError):
        said, advice = str(cause), _ADVICE.get(str(cause.sqlstate))
        return StoreError(f"{shown(url)}: {said}{f' ({advice})' if advice else ''}")
    if isinstance(cause, UnreadableUrl):
        return StoreError(str(cause))
    if isinstance(cause, TimeoutError):
        return StoreError(f"{shown(url)} cannot be reached: no answer within {CONNECT_TIMEOUT:.0f} s")
    if isinstance(cause, OSError):
        number = cause.errno or 0  # below 0: no such name, which is no number of the system's
        known = os.strerror(number) if number > 0 else cause.strerror
        return StoreError(f"{shown(url)} cannot be reached: {known or cause}")
    return StoreError(f"{shown(url)}: {cause}")


def _raised_by_the_driver(error: BaseException) -> BaseException:
    """SQLAlchemy wraps it, twice."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
            return found
        found = found.orig if isinstance(found, DBAPIError) else found.__cause__
    return error
