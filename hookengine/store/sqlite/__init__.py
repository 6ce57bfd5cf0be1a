"""The memory in one SQLite file, owned by one process."""

from __future__ import annotations

from hookengine.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
