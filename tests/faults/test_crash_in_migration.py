"""kill -9 while the tables are made. Row 7 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookengine.store.migrations import differences, pending
from tests.faults.stage import Database, SqliteFile, Stage, happened
from tests.faults.stage.script import statuses
from tests.postgres import PostgresServer, Session

REVISIONS = [line.partition(" ")[0] for line in pending("sqlite:////nowhere/hookengine.db")]


class FreshPostgres:
    """A database without tables."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.url = server.create_database(name)

    def rows(self, query: str, **values: object) -> list[dict[str, object]]:
        with Session(self.url) as session:
            return session.rows(query, **values)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield SqliteFile(tmp_path / "hookengine.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield FreshPostgres(server, "fresh")
    server.drop_database("fresh")


def test_a_migration_that_dies_is_done_by_the_next_node(stage: Stage) -> None:
    """Row 7: kill -9 at the end of each migration, before its commit."""
    stage.hook(statuses)
    for revision in REVISIONS:
        node = stage.start(failpoints=f"migrate.before_commit:kill@{revision}", ready=False)
        assert node.die() == -signal.SIGKILL

    stage.start()
    stage.accepted(happened("started", 1))
    stage.quiet()

    assert differences(stage.url) == []
    assert stage.judge().delivered == 1
