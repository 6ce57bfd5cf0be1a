"""The memory in a PostgreSQL that many nodes share."""

from __future__ import annotations

from hookengine.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
