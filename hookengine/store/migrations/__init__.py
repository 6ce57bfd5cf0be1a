"""Bringing a database to the newest tables, with Alembic."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from hookengine.errors import StoreError
from hookengine.store import tables as _tables  # noqa: F401  registers the tables


def upgrade(url: str) -> None:
    """Apply what is missing; each migration is a transaction of its own. Raises StoreError.

    A new SQLite file is readable by its owner only: contexts and requests are nobody else's business.
    """
    place = make_url(url)
    try:
        if place.get_backend_name() == "sqlite":
            os.close(os.open(place.database or "", os.O_CREAT | os.O_RDWR, 0o600))
        command.upgrade(_config(url), "head")
    except (OSError, DatabaseError) as error:
        raise StoreError(
            f"{place.database} cannot be used: {getattr(error, 'orig', None) or error}"
        ) from error


def pending(url: str) -> list[str]:
    """Migrations not applied yet, in order; a database that does not exist has applied none."""
    applied = _applied(url)
    scripts = ScriptDirectory.from_config(_config(url))
    missing = scripts.iterate_revisions("head", applied or "base")
    return [f"{script.revision} {script.doc}" for script in reversed(list(missing))]


def differences(url: str) -> list[object]:
    """Where the tables of the database differ from those of this version; empty after `upgrade`."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return list(compare_metadata(context, SQLModel.metadata))
    finally:
        engine.dispose()


def _applied(url: str) -> str | None:
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").exists():
        return None  # asking SQLite would make the file, readable by everyone
    engine = create_engine(place)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
