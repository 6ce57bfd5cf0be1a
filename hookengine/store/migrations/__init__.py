"""Bringing a database to the newest tables, with Alembic.

These functions block, and run an event loop of their own for PostgreSQL: in async code, call them in a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, make_url, pool, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from hookengine.errors import StoreBusy, StoreError
from hookengine.store import tables as _tables  # noqa: F401  registers the tables
from hookengine.store.database_url import is_postgres, shown
from hookengine.store.sqlite_errors import PLACE, refuse_old_sqlite, said

T = TypeVar("T")

LOCK: Final = int.from_bytes(b"hookeng")
"""Of PostgreSQL's advisory locks, the one that whoever migrates a database holds."""

WAIT = 5.0  # seconds another process may hold a SQLite file


def upgrade(url: str, revision: str = "head") -> None:
    """Apply what is missing up to `revision`. Raises StoreError.

    On PostgreSQL all of it is one transaction, and nodes that start together migrate one after another. On SQLite
    each migration is a transaction; a new file is readable by its owner only: contexts and requests are nobody
    else's business.
    """
    if not is_postgres(url):
        _make_file(url)
    connected(url, lambda connection: _migrate(connection, command.upgrade, revision), writes=True)


def upgrade_beside(url: str) -> None:
    """For those who are no node of a PostgreSQL: nodes may be using tables that are older. Only a database without
    any is migrated. Raises StoreError, and StoreBusy for others that are not up to date."""
    missing = pending(url)
    if missing == _missing(None):
        upgrade(url)
    elif missing:
        raise StoreBusy(
            f"{shown(url)} has the tables of an earlier version, which nodes of that version may be using: "
            "stop these, then run `hookengine migrate` or start one of this version"
        )


def downgrade(url: str, revision: str) -> None:
    """Undo what came after `revision`, with the data that only later tables hold. Raises StoreError."""
    connected(url, lambda connection: _migrate(connection, command.downgrade, revision), writes=True)


def pending(url: str) -> list[str]:
    """Migrations not applied yet, in order; a SQLite file that does not exist has applied none. Raises StoreError."""
    place = make_url(url) if not is_postgres(url) else None
    if place is not None and not Path(place.database or "").exists():
        return _missing(None)  # asking SQLite would make the file, readable by everyone
    return connected(
        url, lambda connection: _missing(MigrationContext.configure(connection).get_current_revision())
    )


def differences(url: str) -> list[object]:
    """Where the tables of the database differ from those of this version; empty after `upgrade`."""

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    return connected(url, compare)


def connected(url: str, work: Callable[[Connection], T], *, writes: bool = False) -> T:
    """What `work` comes to on a connection of its own, committed. Raises StoreError."""
    try:
        return asyncio.run(_in_postgres(url, work)) if is_postgres(url) else _in_sqlite(url, work, writes)
    except (CommandError, RevisionError) as error:
        raise StoreError(
            f"another version of hookengine has migrated this database: {error} "
            "(use that version, or a backup from before)"
        ) from error


def _migrate(connection: Connection, move: Callable[[Config, str], None], revision: str) -> None:
    if connection.dialect.name == "postgresql":
        # What is applied is read under the lock. It ends with the transaction, also behind a connection pooler.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = _config()
    config.attributes["connection"] = connection
    move(config, revision)


def _missing(applied: str | None) -> list[str]:
    scripts = ScriptDirectory.from_config(_config())
    missing = scripts.iterate_revisions("head", applied or "base")
    return [f"{script.revision} {script.doc}" for script in reversed(list(missing))]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _make_file(url: str) -> None:
    place = make_url(url).database or ""
    try:
        os.close(os.open(place, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"{place} cannot be used: {error.strerror or error} ({PLACE})") from error


def _in_sqlite(url: str, work: Callable[[Connection], T], writes: bool) -> T:
    """Python's sqlite3 would begin transactions of its own, but none before a statement that changes tables."""
    refuse_old_sqlite()
    engine = create_engine(
        url, poolclass=pool.NullPool, connect_args={"isolation_level": None, "timeout": WAIT}
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    try:
        with engine.connect() as connection:
            result = work(connection)  # not in `begin`: each migration is to be a transaction
            connection.commit()
            return result
    except DatabaseError as error:
        raise StoreError(f"{make_url(url).database} cannot be used: {said(error.orig)}") from error
    finally:
        engine.dispose()


async def _in_postgres(url: str, work: Callable[[Connection], T]) -> T:
    from hookengine.store.postgres_connection import FAILURES, postgres_engine, store_error  # not for SQLite

    engine = postgres_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except FAILURES as error:
        raise store_error(url, error) from error
    finally:
        await engine.dispose()
