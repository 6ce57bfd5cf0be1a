"""What stands in the way of SQLite's migrations: nothing is lost or half done, and it is told what to do."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from hookengine.domain.delivery import ENDED, DeliveryStatus
from hookengine.errors import StoreError
from hookengine.store import migrations
from hookengine.store.migrations import differences, pending, upgrade

MEANT = "status = 'queued' OR"  # in the check of the newest tables
DIE_EVERYWHERE = """
import os, shutil, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from hookengine.store.migrations import upgrade

def die_at(last, folder):
    steps = iter(range(last))
    def step(*_):
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
    event.listen(Engine, "after_cursor_execute", step)
    event.listen(Engine, "commit", step)
    upgrade(f"sqlite:///{folder / 'hookengine.db'}")
    os._exit(0)

last, ended = 0, 1
while ended:
    folder = Path(sys.argv[1]).with_name(f"died-{last}")
    shutil.copytree(sys.argv[1], folder)
    child = os.fork()
    if not child:
        die_at(last, folder)
    ended = os.waitpid(child, 0)[1]
    print(folder, ended)
    last += 1
"""
"""A migration of a copy of the folder for each of its statements, which is its last one."""

_INSERT = (
    "INSERT INTO delivery (id, event_id, hook_id, hook_revision, lane_id, digest, first_seq, rank, seq, status,"
    " attempts, strikes, cancel_asked, because, accepted_at, ended_at)"
    " VALUES (:status, :status, 'hook', 1, 1, '', 1, 0, 0, :status, 0, 0, false, '', 0, :ended_at)"
)


@pytest.fixture(params=["0001", "0008"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of tables before, as a node leaves it that is killed: with a delivery in each status, an attempt
    under way in a lane in doubt, and a log that is not in the file yet."""
    running = tmp_path / "running" / "hookengine.db"
    running.parent.mkdir()
    upgrade(f"sqlite:///{running}", request.param)
    with closing(sqlite3.connect(running, isolation_level=None)) as node:
        node.execute("PRAGMA journal_mode = WAL")
        node.execute(
            "INSERT INTO lane (id, key, policy, head_id, token, doubt_until) VALUES (1, 'k', 'latest', 'sending', 7, 9)"
        )
        node.execute(
            "INSERT INTO attempt (delivery_id, number, token, started_at) VALUES ('sending', 1, 7, 5)"
        )
        for status in DeliveryStatus:
            node.execute(_INSERT, {"status": status, "ended_at": 3 if status in ENDED else None})
        shutil.copytree(running.parent, tmp_path / "killed")
    return tmp_path / "killed" / "hookengine.db"


@contextmanager
def _on_connecting(pragma: str) -> Iterator[None]:
    """In every connection that SQLAlchemy makes."""

    def run(connection: Any, _record: object) -> None:
        connection.execute(pragma)

    event.listen(Engine, "connect", run)
    yield
    event.remove(Engine, "connect", run)


def _looked_at(path: Path) -> tuple[str, dict[str, str], list[tuple[object, ...]]]:
    """How sound it is; the deliveries; the lane and the attempt."""
    with closing(sqlite3.connect(path)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        statuses = dict(connection.execute("SELECT id, status FROM delivery").fetchall())
        query = "SELECT l.token, l.doubt_until, a.started_at FROM lane l JOIN attempt a ON a.delivery_id = l.head_id"
        return sound, statuses, connection.execute(query).fetchall()


WHOLE = ("ok", {status.value: status.value for status in DeliveryStatus}, [(7, 9, 5)])


def _is_newest(path: Path) -> bool:
    url = f"sqlite:///{path}"
    with closing(sqlite3.connect(path)) as connection:
        (said,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'delivery'").fetchone()
    return pending(url) == differences(url) == [] and MEANT in said


@pytest.mark.parametrize("path", ["0008"], indirect=True)
def test_wherever_the_rewriting_of_checks_dies_the_next_one_goes_on(path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DIE_EVERYWHERE, path.parent], capture_output=True, text=True, check=True
    )

    *died, last = (line.split() for line in ran.stdout.splitlines())
    assert {how for _, how in died} == {str(int(signal.SIGKILL))}
    assert (len(died) > 8, last[1]) == (True, "0")
    for folder, _ in [*died, last]:
        copy = Path(folder) / "hookengine.db"
        assert _looked_at(copy) == WHOLE
        upgrade(f"sqlite:///{copy}")
        assert _looked_at(copy) == WHOLE
        assert _is_newest(copy)


@pytest.mark.parametrize(
    ("path", "pragma", "told"),
    [
        ("0001", "PRAGMA max_page_count = 1", r"database or disk is full \(make room on its disk, then try"),
        ("0001", "PRAGMA query_only = ON", r"readonly database \(this process must be allowed to write it"),
        ("0008", "PRAGMA query_only = ON", r"readonly database \(this process must be allowed to write it"),
    ],
    indirect=["path"],
)
def test_what_cannot_be_written_changes_nothing_and_is_told(path: Path, pragma: str, told: str) -> None:
    before = pending(f"sqlite:///{path}")

    with _on_connecting(pragma), pytest.raises(StoreError, match=rf"hookengine\.db cannot be used: .*{told}"):
        upgrade(f"sqlite:///{path}")

    assert (_looked_at(path), pending(f"sqlite:///{path}")) == (WHOLE, before)
    upgrade(f"sqlite:///{path}")
    assert _is_newest(path)


def test_a_file_that_another_process_holds_is_left_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "WAIT", 0.01)
    before = pending(f"sqlite:///{path}")

    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked \(another process holds the file: try again once"):
            upgrade(f"sqlite:///{path}")
        assert pending(f"sqlite:///{path}") == before

    upgrade(f"sqlite:///{path}")
    assert (_looked_at(path), _is_newest(path)) == (WHOLE, True)


def test_a_file_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/a\.db cannot be used: No such file or directory \("):
        upgrade(f"sqlite:///{tmp_path}/nowhere/a.db")


def test_an_sqlite_that_is_too_old_is_told_before_anything_is_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 26, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.26.0")

    with pytest.raises(StoreError, match=r"SQLite 3\.26\.0, and 3\.35 or newer is needed"):
        upgrade(f"sqlite:///{path}")
