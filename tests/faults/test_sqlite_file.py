"""Others at the SQLite file: one who holds it, one who reads for long. Rows 18 and 19; see MATRIX.md."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hookengine.errors import StoreError
from hookengine.store.sqlite import connection as sqlite_connection
from hookengine.store.sqlite.connection import SharedConnection
from tests.acceptance.configs import a_config, a_hook, event
from tests.acceptance.engines import Opened, opened
from tests.faults.targets import HANG, Target

pytestmark = pytest.mark.anyio

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("there", flush=True)
sys.stdin.read()
"""
WRITE = """
import select, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
print("there", flush=True)
while not select.select([sys.stdin], [], [], 0.0002)[0]:
    connection.execute("UPDATE definitions SET version = version")
"""
PATIENCE = 60.0  # seconds


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


class Spy:
    """On what the engine asks of SQLite: the names of errors, and whether a transaction has begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: set[str] = set()
        self.begun = threading.Event()
        for name in ("execute", "executemany"):
            monkeypatch.setattr(SharedConnection, name, self._watching(name), raising=False)

    def _watching(self, name: str) -> Callable[..., Any]:
        def run(connection: SharedConnection, statement: str, *values: Any) -> Any:
            if statement.startswith("BEGIN"):
                self.begun.set()
            try:
                return getattr(sqlite3.Connection, name)(connection, statement, *values)
            except sqlite3.Error as error:
                self.errors.add(error.sqlite_errorname)
                raise

        return run


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


@contextmanager
def somebody_else(program: str, folder: Path) -> Iterator[None]:
    """In a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, folder / "hookengine.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    try:
        yield
    finally:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def hooked(target: Target) -> dict[str, Any]:
    return a_config(a_hook(f"{target.url}/{{{{ action.id }}}}", lane="none"))


async def received(target: Target, count: int) -> None:
    await asyncio.to_thread(target.wait_for_requests, count)


async def wal_bytes(engine: Opened) -> float:
    """As the metric tells it."""
    text, _ = await engine.engine.parts.exposition.text()
    (line,) = [line for line in text.decode().splitlines() if line.startswith("hookengine_sqlite_wal_bytes ")]
    return float(line.split()[1])


async def test_who_holds_the_file_for_long_makes_events_be_refused_and_loses_none(
    tmp_path: Path, target: Target, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 18: what was under way is recorded afterwards."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT", 0.05)
    async with opened(tmp_path, hooked(target)) as engine:
        target.plan(HANG, times=8)
        ids = [(await engine.accept(event("started", number, id=f"e{number}")))[0] for number in range(8)]
        await received(target, 8)

        with somebody_else(HOLD, tmp_path):
            told = [engine.accept(event("started", number, id=f"e{number}")) for number in range(8, 16)]
            refused = await asyncio.gather(*told, return_exceptions=True)
            target.release()
            await engine.ears.wait_for("store.failed", 8, doing="recording a result")
            with pytest.raises(StoreError):
                await engine.engine.parts.store.writable()

        ids += [(await engine.accept(event("started", number, id=f"e{number}")))[0] for number in range(16)]
        assert len({*ids}) == 16
        ended = [(await engine.ended(delivery_id))["status"] for delivery_id in ids]

    assert {type(error) for error in refused} == {StoreError}
    assert ended == ["delivered"] * len(ids)
    assert len(target.received) == 16
    assert spy.errors == {"SQLITE_BUSY"}


async def test_who_holds_the_file_for_a_moment_makes_events_wait(
    tmp_path: Path, target: Target, spy: Spy
) -> None:
    """Row 18."""
    async with opened(tmp_path, hooked(target)) as engine:
        with somebody_else(HOLD, tmp_path):
            spy.begun.clear()
            accepted = asyncio.create_task(engine.accept(event("started", 1)))
            assert await asyncio.to_thread(spy.begun.wait, PATIENCE)
            await engine.engine.parts.store.next_due(0)  # who reads does not wait
            assert not accepted.done()
        (delivery_id,) = await accepted
        await engine.ended(delivery_id)

    assert len(target.received) == 1
    assert spy.errors == {"SQLITE_BUSY"}  # met in the loop, which does not wait; the thread does


async def test_who_writes_all_the_time_is_in_nobodys_way(
    tmp_path: Path, target: Target, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 18: no transaction reads before it may write: then it could only fail (SQLITE_BUSY_SNAPSHOT)."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT", PATIENCE)
    async with opened(tmp_path, hooked(target)) as engine:
        with somebody_else(WRITE, tmp_path):
            ids = [(await engine.accept(event("started", number)))[0] for number in range(50)]
            for delivery_id in ids:
                await engine.ended(delivery_id)

    assert len(target.received) == 50
    assert spy.errors <= {"SQLITE_BUSY"}


async def test_the_log_grows_while_somebody_reads_and_is_emptied_afterwards(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 19: the reader keeps nobody from writing, not even while upkeep tries to empty the log."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT", PATIENCE + 5)
    async with opened(tmp_path, hooked(target), deliver=False) as engine:
        await engine.accept(event("started", 0))
        parts = engine.engine.parts
        await parts.upkeep.tidy()
        with closing(sqlite3.connect(tmp_path / "hookengine.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchone()
            grown = []
            for batch in range(4):
                events = [event("started", 1 + batch * 500 + number) for number in range(500)]
                await engine.engine.accept_all(events)
                tidying = asyncio.create_task(parts.upkeep.tidy())
                async with asyncio.timeout(PATIENCE):
                    await engine.accept(event("started", 10_000 + batch))
                await tidying
                grown.append(await wal_bytes(engine))
        await parts.upkeep.tidy()
        emptied = await wal_bytes(engine)

    assert grown == sorted(grown)
    assert grown[-1] > 4_000_000
    assert emptied == 0
