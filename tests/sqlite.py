"""SQLite databases with all tables, copied: to migrate one takes longer than most tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hookengine.store.migrations import upgrade


def empty_database(path: Path) -> Path:
    """The path, where there is one without rows now."""
    path.write_bytes(_migrated())
    return path


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hookengine.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()
