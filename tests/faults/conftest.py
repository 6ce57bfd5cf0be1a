"""Fixtures of the tests that start engines and do things to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Database, Hatchery, SqliteFile, Stage


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return SqliteFile(tmp_path / "hookengine.db")
    database: Database = request.getfixturevalue("postgres_database")
    return database


@pytest.fixture
def stage(tmp_path: Path, database: Database, hatchery: Hatchery) -> Iterator[Stage]:
    with Stage(tmp_path, database, hatchery) as stage:
        yield stage
