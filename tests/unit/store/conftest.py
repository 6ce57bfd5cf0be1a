"""An empty SQLite database with all tables, copied for each test that wants one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hookengine.store.migrations import upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "hookengine.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Path:
    """The file of an empty database."""
    return Path(shutil.copy(migrated, tmp_path / "hookengine.db"))
