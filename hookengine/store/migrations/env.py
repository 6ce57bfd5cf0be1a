"""Run by Alembic."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool
from sqlmodel import SQLModel

from hookengine.store import tables as _tables  # noqa: F401  registers the tables

url = context.config.get_main_option("sqlalchemy.url")
if url is None:
    raise ValueError("hookengine migrations need the database's URL")

engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
