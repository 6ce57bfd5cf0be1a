"""Checks of SQLite that are put into other words: they hold as before, for the rows that are there too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from hookengine.errors import StoreError
from hookengine.store.migrations import connected, downgrade, upgrade

_INSERT = (
    "INSERT INTO delivery (id, event_id, hook_id, hook_revision, digest, first_seq, rank, seq, status, attempts,"
    " strikes, cancel_asked, because, accepted_at, ended_at)"
    " VALUES (:id, :id, 'hook', 1, '', 1, 0, 0, :status, 0, 0, false, '', 0, :ended_at)"
)
_CHECKS = "SELECT sql FROM sqlite_master WHERE name IN ('delivery', 'event_last')"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a database of the tables before, with two deliveries."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    upgrade(url, "0008")
    connected(url, lambda connection: _insert(connection, "dlv_1", "queued", None), writes=True)
    connected(url, lambda connection: _insert(connection, "dlv_2", "failed", 7), writes=True)
    return url


@pytest.fixture
def defensive() -> Iterator[None]:
    """As where SQLite was built to keep its own tables to itself."""

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> tuple[str, Any]:
        return statement.replace("writable_schema = ON", "writable_schema = OFF"), parameters

    event.listen(Engine, "before_cursor_execute", keep, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", keep)


def _insert(connection: Connection, name: str, status: str, ended_at: int | None) -> None:
    connection.execute(text(_INSERT), {"id": name, "status": status, "ended_at": ended_at})


def _statuses(connection: Connection) -> dict[str, str]:
    return {row.id: row.status for row in connection.execute(text("SELECT id, status FROM delivery"))}


@pytest.mark.parametrize(
    ("status", "ended_at"), [("gone", None), ("gone", 7), ("queued", 7), ("delivered", None)]
)
def test_a_status_that_is_none_or_lacks_its_time_is_refused(
    url: str, status: str, ended_at: int | None
) -> None:
    upgrade(url)

    with pytest.raises(StoreError, match="CHECK"):
        connected(url, lambda connection: _insert(connection, "dlv_3", status, ended_at), writes=True)

    connected(url, lambda connection: _insert(connection, "dlv_4", "delivered", 7), writes=True)
    assert connected(url, _statuses) == {"dlv_1": "queued", "dlv_2": "failed", "dlv_4": "delivered"}
    assert connected(url, lambda connection: connection.scalar(text("PRAGMA integrity_check"))) == "ok"


def test_the_words_of_before_come_back(url: str) -> None:
    before = connected(url, lambda connection: connection.scalars(text(_CHECKS)).all())

    upgrade(url)
    after = connected(url, lambda connection: connection.scalars(text(_CHECKS)).all())
    downgrade(url, "0008")

    assert connected(url, lambda connection: connection.scalars(text(_CHECKS)).all()) == before
    assert all(" IN (" in said for said in before)
    assert not any("status IN (" in said or "type IN (" in said for said in after)


@pytest.mark.usefixtures("defensive")
def test_an_sqlite_that_keeps_its_own_tables_to_itself_goes_on_with_the_words_of_before(url: str) -> None:
    before = connected(url, lambda connection: connection.scalars(text(_CHECKS)).all())

    upgrade(url)

    assert connected(url, lambda connection: connection.scalars(text(_CHECKS)).all()) == before
    with pytest.raises(StoreError, match="CHECK"):
        connected(url, lambda connection: _insert(connection, "dlv_3", "gone", None), writes=True)
