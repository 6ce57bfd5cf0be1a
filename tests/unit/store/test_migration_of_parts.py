"""Deliveries of one hook for one event, told apart by their part: there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from hookengine.errors import StoreError
from hookengine.store.migrations import connected, downgrade, upgrade

_INSERT = (
    "INSERT INTO delivery (id, event_id, hook_id, hook_revision, digest, first_seq, rank, seq, status, attempts,"
    " strikes, cancel_asked, because, accepted_at, part)"
    " VALUES (:id, '1:evt', 'hook', 1, '', 1, 0, 0, 'queued', 0, 0, false, '', 0, :part)"
)


def _two_parts(connection: Connection) -> None:
    for part in (0, 1):
        connection.execute(text(_INSERT), {"id": f"dlv_{part}", "part": part})


def test_parts_of_one_event_stay_when_the_tables_go_back_and_only_the_last_counts_as_the_one(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    upgrade(url)
    connected(url, _two_parts, writes=True)

    downgrade(url, "0007")

    query = text("SELECT id, replay_of FROM delivery ORDER BY id")
    rows = connected(url, lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows] == [("dlv_0", "dlv_0"), ("dlv_1", None)]
    upgrade(url)


def test_a_part_is_owed_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    upgrade(url)
    connected(url, _two_parts, writes=True)

    def again(connection: Connection) -> None:
        connection.execute(text(_INSERT), {"id": "dlv_2", "part": 1})

    with pytest.raises(StoreError, match="UNIQUE"):
        connected(url, again, writes=True)
