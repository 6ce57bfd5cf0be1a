from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlmodel import SQLModel

from hookengine.store.migrations import differences, pending, upgrade


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hookengine.db'}"


def _schema(url: str) -> dict[str, str]:
    """Each table's and index's statement, without what differs in writing only."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
        ).all()
    engine.dispose()
    return {name: " ".join(sorted(sql.replace("(", " ").replace(",", " ").split())) for name, sql in found}


def test_all_migrations_on_an_empty_database_equal_the_tables(url: str, tmp_path: Path) -> None:
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    engine = create_engine(fresh)
    SQLModel.metadata.create_all(engine)
    engine.dispose()

    upgrade(url)

    assert differences(url) == []
    assert _schema(url) == _schema(fresh)


def test_every_table_of_the_metadata_is_migrated(url: str) -> None:
    upgrade(url)

    engine = create_engine(url)
    tables = set(inspect(engine).get_table_names())
    engine.dispose()
    assert tables == {*SQLModel.metadata.tables, "alembic_version"}


def test_everything_is_pending_on_a_database_that_does_not_exist(url: str, tmp_path: Path) -> None:
    missing = pending(url)

    assert missing[0] == "0001 the first tables"
    assert list(tmp_path.iterdir()) == [], "asking must not make the file"


def test_nothing_is_pending_after_an_upgrade(url: str) -> None:
    upgrade(url)

    assert pending(url) == []


def test_upgrading_twice_changes_nothing(url: str) -> None:
    upgrade(url)
    before = _schema(url)

    upgrade(url)

    assert _schema(url) == before


def test_a_path_with_a_percent_sign_can_be_upgraded(tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    folder.mkdir()

    upgrade(f"sqlite:///{folder / 'hookengine.db'}")

    assert pending(f"sqlite:///{folder / 'hookengine.db'}") == []
