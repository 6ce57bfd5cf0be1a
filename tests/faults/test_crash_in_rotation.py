"""kill -9 while secrets are sealed with a new key. Row 7 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from hookengine.guard.key_file import new_key_file, open_ring, read_keys
from hookengine.guard.keys import KeyRing, id_of, key_of
from hookengine.store.cold.tables import CONTEXT_SECRET, SECRET
from hookengine.store.migrations import connected, upgrade
from tests.faults.stage import Database, Hatchery

MANY = 1_100
"""More than two batches."""


@pytest.fixture
def sealed(tmp_path: Path, database: Database) -> Path:
    """A folder with a configuration, a key and a database full of secrets."""
    settings = {"database": database.url, "secrets": {"key_file": "./hookengine.key"}}
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    new_key_file(tmp_path / "hookengine.key")
    upgrade(database.url)
    ring = open_ring(tmp_path / "hookengine.key")
    connected(database.url, lambda connection: _fill(connection, ring), writes=True)
    return tmp_path


def _fill(connection: Connection, ring: KeyRing) -> None:
    connection.execute(
        insert(CONTEXT_SECRET),
        [
            {
                "pipeline_id": number % 7,
                "path": f"p{number}",
                "sealed": ring.seal(f"value {number}", f"{number % 7}|p{number}"),
                "updated_at": 1,
            }
            for number in range(MANY)
        ],
    )
    one = {"owner": "", "name": "chat", "hosts": "[]", "sealed": ring.seal("chat", "secret||chat")}
    connection.execute(insert(SECRET), {**one, "updated_at": 1})


def rotate(hatchery: Hatchery, folder: Path, failpoints: str = "") -> tuple[int, str]:
    """The exit code, and what it said."""
    environ = {"HOOKENGINE_FAILPOINTS": failpoints}
    process, output = hatchery.hatch(["secrets", "rotate"], folder, environ, {})
    with output:
        said = output.read()
    return process.wait(), said


def read_all(folder: Path, database: Database) -> set[str]:
    """Every value as a node that starts now reads it; the ids of the keys they are sealed with."""
    ring, used = open_ring(folder / "hookengine.key"), set()
    rows = database.rows("SELECT pipeline_id, path, sealed FROM context_secret")
    assert len(rows) == MANY
    for row in rows:
        value = ring.open(row["sealed"], f"{row['pipeline_id']}|{row['path']}")
        assert value == f"value {row['path'][1:]}"
        used.add(key_of(row["sealed"]))
    (stored,) = database.rows("SELECT sealed FROM secret")
    assert ring.open(stored["sealed"], "secret||chat") == "chat"
    return used | {key_of(stored["sealed"])}


@pytest.mark.parametrize(
    ("at", "keys_in_use"),
    [
        ("rotate.key_written:kill", 1),
        ("rotate.before_commit:kill#1", 1),
        ("rotate.before_commit:kill#2", 2),
        ("rotate.before_commit:kill@secret", 2),
    ],
)
def test_a_rotation_that_dies_leaves_everything_readable_and_is_finished_by_the_next(
    sealed: Path, database: Database, hatchery: Hatchery, at: str, keys_in_use: int
) -> None:
    (old,) = read_keys(sealed / "hookengine.key")

    died, _ = rotate(hatchery, sealed, at)
    new = read_keys(sealed / "hookengine.key")[0]
    between = read_all(sealed, database)
    finished, said = rotate(hatchery, sealed)

    assert died == -signal.SIGKILL
    assert len(between) == keys_in_use
    assert finished == 0, said
    keys = read_keys(sealed / "hookengine.key")
    assert (keys[0], keys[-1]) == (new, old)
    assert read_all(sealed, database) == {id_of(new)}
