"""Migrations on both databases, whatever the newest of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, Text, select, text
from sqlmodel import SQLModel

from hookengine.errors import StoreError
from hookengine.store.database_url import is_postgres
from hookengine.store.migrations import connected, differences, downgrade, pending, upgrade
from tests.postgres import PostgresServer

SQLITE_SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'sqlite_sequence'"
POSTGRES_SCHEMA = """
    SELECT format('column %s.%s', attrelid::regclass, attname), concat_ws(' ',
        format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid))
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT format('constraint %s.%s', conrelid::regclass, conname), pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'sequence ' || seqrelid::regclass, seqtypid::regtype::text FROM pg_sequence
"""
ALLOWED: dict[tuple[str, str], object] = {
    ("delivery", "status"): "delivered",
    ("delivery", "event_id"): "id",
}
"""Values for columns that do not take just any."""

CHANGED = {("event", "id"): "7:id", ("delivery", "event_id"): "7:id"}
"""Values that a migration means to change: ids of events are each pipeline's own."""


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes empty databases, and knows their URLs."""
    if request.param == "sqlite":
        yield lambda name: f"sqlite:///{tmp_path / name}.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return server.create_database(name)

    yield make
    for name in made:
        server.drop_database(name)


@pytest.fixture
def url(new_url: Callable[[str], str]) -> str:
    return new_url("migrating")


def _schema(url: str) -> dict[str, str]:
    """Each part of the tables, without what differs in writing only."""
    query = text(POSTGRES_SCHEMA if is_postgres(url) else SQLITE_SCHEMA)
    found = connected(url, lambda connection: connection.execute(query).all())
    return {
        name: " ".join(sorted(said.replace("(", " ").replace(")", " ").replace(",", " ").split()))
        for name, said in found
        if "alembic_version" not in name
    }


def test_all_migrations_on_an_empty_database_equal_the_tables(
    url: str, new_url: Callable[[str], str]
) -> None:
    fresh = new_url("fresh")
    connected(fresh, SQLModel.metadata.create_all)

    upgrade(url)

    assert differences(url) == []
    assert _schema(url) == _schema(fresh)


def test_a_column_too_many_is_a_difference(url: str) -> None:
    upgrade(url)

    connected(url, lambda connection: connection.execute(text("ALTER TABLE lane ADD COLUMN extra TEXT")))

    assert "extra" in str(differences(url))


def test_everything_is_pending_on_an_empty_database(url: str, tmp_path: Path) -> None:
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


def test_an_upgrade_leaves_the_rows_that_are_there(url: str) -> None:
    upgrade(url, "0001")
    written = connected(url, _fill)

    upgrade(url)

    found = connected(url, _rows)
    assert len(written) == 11
    for table, row in written.items():
        (kept,) = found[table]
        assert {name: CHANGED.get((table, name), value) for name, value in row.items() if name in kept} == {
            name: value for name, value in kept.items() if name in row
        }
    connected(url, _read_as_this_version_does)


def test_events_of_one_action_are_put_in_the_order_of_their_times(url: str) -> None:
    upgrade(url, "0006")
    told = {"evt_b": 17, "evt_a": 18, "evt_c": 18}
    event = "INSERT INTO event (id, type, action_seq, digest, document, answer, accepted_at)"

    def fill(connection: Connection) -> None:
        for event_id, at in told.items():
            values = "VALUES (:id, 'action.started', 1, '', '{}', '{}', :at)"
            connection.execute(text(f"{event} {values}"), {"id": event_id, "at": at})

    connected(url, fill, writes=True)

    upgrade(url)

    query = text("SELECT revision, id FROM event ORDER BY revision")
    rows = connected(url, lambda connection: [tuple(row) for row in connection.execute(query)])
    assert rows == [(1, "0:evt_b"), (2, "0:evt_a"), (3, "0:evt_c")]


def test_what_a_downgrade_undoes_can_be_done_again(url: str) -> None:
    upgrade(url, "0001")
    connected(url, _fill)
    tables, rows = _schema(url), connected(url, _rows)
    upgrade(url)

    downgrade(url, "0001")

    assert _schema(url) == tables
    assert connected(url, _rows) == rows
    upgrade(url)
    assert differences(url) == []


def test_after_a_downgrade_of_everything_nothing_is_left(url: str) -> None:
    upgrade(url)

    downgrade(url, "base")

    assert _schema(url) == {}
    assert pending(url)[0].startswith("0001 ")


def test_a_database_of_a_later_version_is_refused(url: str) -> None:
    upgrade(url)
    later = text("UPDATE alembic_version SET version_num = '9999'")
    connected(url, lambda connection: connection.execute(later))

    for ask in (upgrade, pending):
        with pytest.raises(StoreError, match="another version of hookengine has migrated this database"):
            ask(url)


def test_a_path_with_a_percent_sign_can_be_upgraded(tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    folder.mkdir()

    upgrade(f"sqlite:///{folder / 'hookengine.db'}")

    assert pending(f"sqlite:///{folder / 'hookengine.db'}") == []


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "hookengine.db"
    path.write_text("not one, by its first bytes" * 100)

    for ask in (upgrade, pending):
        with pytest.raises(StoreError, match=r"hookengine\.db cannot be used: file is not a database"):
            ask(f"sqlite:///{path}")


def _fill(connection: Connection) -> dict[str, dict[str, Any]]:
    """A row in each table, with something in every column."""
    tables = MetaData()
    tables.reflect(connection)
    rows: dict[str, dict[str, Any]] = {}
    for table in tables.sorted_tables:
        if table.name != "alembic_version":
            rows[table.name] = {column.name: _value(column) for column in table.columns}
            connection.execute(table.insert(), rows[table.name])
    return rows


def _value(column: Column[Any]) -> object:
    known = ALLOWED.get((column.table.name, column.name))
    if known is not None:
        return known
    if isinstance(column.type, Text):
        return "{}"  # documents are JSON
    return {str: column.name, bool: True, int: 7}[column.type.python_type]


def _rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    tables = MetaData()
    tables.reflect(connection)
    return {
        table.name: [dict(row._mapping) for row in connection.execute(select(table))]
        for table in tables.sorted_tables
    }


def _read_as_this_version_does(connection: Connection) -> None:
    for table in SQLModel.metadata.sorted_tables:
        connection.execute(select(table)).all()


def test_a_migration_that_does_not_end_leaves_nothing_of_itself_behind(
    url: str, new_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = new_url("before")
    *_, last = pending(url)

    def fail(point: str, revision: str) -> None:
        if last.startswith(revision):
            raise StoreError(f"{point} {revision}")

    with monkeypatch.context() as patched:
        patched.setattr("hookengine.failpoints.reach", fail)
        with pytest.raises(StoreError, match=r"migrate\.before_commit"):
            upgrade(url)

    applied = [line.partition(" ")[0] for line in pending(before) if line not in pending(url)]
    if applied:
        upgrade(before, applied[-1])
    assert _schema(url) == _schema(before)
    upgrade(url)
    assert differences(url) == []
