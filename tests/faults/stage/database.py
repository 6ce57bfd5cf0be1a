"""The database under test, looked at from beside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from hookengine.domain.event import id_in
from tests.faults.history import Rows

TABLES = ("event", "delivery", "attempt", "lane", "action", "hook", "gate")
OWED = """
SELECT count(*) AS owed FROM delivery d JOIN hook h ON h.id = d.hook_id
WHERE d.status IN ('queued', 'retrying') AND h.state <> 'paused' OR d.status = 'sending'
"""


class Database(Protocol):
    @property
    def url(self) -> str: ...

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query with `:name` parameters finds."""
        ...


class SqliteFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]


def tables(database: Database) -> Rows:
    """With the ids of events as they were told."""
    rows = Rows(**{name: database.rows(f"SELECT * FROM {name}") for name in TABLES})
    for table, column in ((rows.event, "id"), (rows.delivery, "event_id")):
        for row in table:
            row[column] = id_in(row[column])
    return rows


def is_quiet(database: Database) -> bool:
    """Whether nothing is owed but by hooks that are paused."""
    return database.rows(OWED)[0]["owed"] == 0
