"""What older databases say of commits is found when they are migrated."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from hookengine.store.migrations import connected, upgrade

KEY = 'status:["api.github.com", "acme/shop", "6dcb09b5", "ci/shop"]'


def test_lanes_that_are_there_already_learn_their_commit_and_events_when_they_occurred(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(url, "0003")
    connected(url, _fill, writes=True)

    upgrade(url)

    assert connected(url, lambda connection: _rows(connection, "SELECT key, sha FROM lane ORDER BY id")) == [
        (KEY, "6dcb09b5"),
        ("hook:a:1:2", None),
    ]
    assert connected(url, lambda connection: _rows(connection, "SELECT occurred_at FROM event")) == [(17,)]


def _fill(connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO lane (key, policy) VALUES (:key, 'latest'), ('hook:a:1:2', 'ordered')"),
        {"key": KEY},
    )
    connection.execute(text("INSERT INTO event VALUES ('evt_1', 'action.started', 1, '', '{}', '{}', 17)"))


def _rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]
