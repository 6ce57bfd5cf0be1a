"""Run by Alembic, on the connection that `hookengine.store.migrations` hands to it."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from hookengine.failpoints import reach
from hookengine.store import tables as _tables  # noqa: F401  registers the tables

connection = context.config.attributes.get("connection")
if connection is None:
    raise ValueError("migrations are run by hookengine.store.migrations, with a connection")

context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transaction_per_migration=True,
    transactional_ddl=True,
    on_version_apply=lambda step, **_: reach("migrate.before_commit", str(step.up_revision_id)),
)
with context.begin_transaction():
    context.run_migrations()
