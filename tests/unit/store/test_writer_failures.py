"""The writer outlives what goes wrong, and nobody waits for one that has ended."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hookengine.errors import StoreError
from hookengine.store.sqlite.writer import GroupWriter

pytestmark = pytest.mark.anyio


class Failing(sqlite3.Connection):
    """Raises instead of executing a statement that is in `fails`."""

    fails: dict[str, Exception]

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql in self.fails:
            raise self.fails[sql]
        return super().execute(sql, *arguments)


@pytest.fixture
def fails() -> dict[str, Exception]:
    return {}


@pytest.fixture
async def writer(tmp_path: Path, fails: dict[str, Exception]) -> AsyncIterator[GroupWriter]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            tmp_path / "notes.db", isolation_level=None, check_same_thread=False, factory=Failing
        )
        connection.fails = fails
        connection.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")
        return connection

    writer = GroupWriter(connect)
    await writer.open()
    yield writer
    await writer.close()


def _note(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO note VALUES ('a')")
    (count,) = connection.execute("SELECT count(*) FROM note").fetchone()
    return int(count)


async def test_a_rollback_that_fails_ends_its_connection_but_not_the_writer(
    writer: GroupWriter, fails: dict[str, Exception]
) -> None:
    fails["COMMIT"] = sqlite3.OperationalError("disk I/O error")
    fails["ROLLBACK"] = sqlite3.OperationalError("cannot rollback")
    with pytest.raises(StoreError, match="disk I/O error"):
        await writer.run(_note)
    fails.clear()

    assert await writer.run(_note) == 1


async def test_a_mistake_after_the_database_undid_all_is_told_to_its_caller(writer: GroupWriter) -> None:
    def undone(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise KeyError("no such delivery")

    with pytest.raises(KeyError, match="no such delivery"):
        await writer.run(undone)

    assert await writer.run(_note) == 1


@pytest.mark.parametrize("error", [SystemExit(1), MemoryError()])
async def test_nothing_that_work_raises_ends_the_writer(writer: GroupWriter, error: BaseException) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half done')")
        raise error

    with pytest.raises((StoreError, MemoryError)):
        await writer.run(work)

    assert await writer.run(_note) == 1


async def test_a_call_from_another_loop_is_refused(writer: GroupWriter) -> None:
    async def called_elsewhere() -> None:
        await writer.run(_note)

    with pytest.raises(StoreError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, called_elsewhere())

    assert await writer.run(_note) == 1


class Held:
    """A connection that comes about when it is told to."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect, self._begun, self._go = connect, threading.Event(), threading.Event()

    def __call__(self) -> sqlite3.Connection:
        self._begun.set()
        self._go.wait(60)
        return self._connect()

    async def begun(self) -> None:
        await asyncio.to_thread(self._begun.wait, 10)

    def go(self) -> None:
        self._go.set()


async def test_opening_that_is_cancelled_leaves_no_thread(tmp_path: Path) -> None:
    held = Held(lambda: sqlite3.connect(tmp_path / "notes.db", check_same_thread=False))
    writer = GroupWriter(held)
    before = set(threading.enumerate())
    opening = asyncio.ensure_future(writer.open())
    await held.begun()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "hookengine-writer_0"]

    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    held.go()
    await asyncio.to_thread(thread.join, 10)

    assert thread not in before
    assert not thread.is_alive()
    with pytest.raises(StoreError, match="stopped"):
        await writer.run(_note)


async def test_a_writer_that_could_not_be_opened_lets_nobody_wait() -> None:
    def connect() -> sqlite3.Connection:
        raise RuntimeError("no such thing")

    writer = GroupWriter(connect)

    with pytest.raises(RuntimeError, match="no such thing"):
        await writer.open()
    with pytest.raises(StoreError, match="stopped"):
        await writer.run(_note)


async def test_what_waits_for_a_writer_that_is_stopped_is_told_so(writer: GroupWriter) -> None:
    entered, go = threading.Event(), threading.Event()

    def gate(connection: sqlite3.Connection) -> None:
        entered.set()
        go.wait(60)

    held = asyncio.ensure_future(writer.run(gate))
    await asyncio.to_thread(entered.wait, 10)
    gone = asyncio.ensure_future(writer.run(_note))
    asked = asyncio.ensure_future(writer.run(_note))
    await asyncio.sleep(0)
    gone.cancel()
    (serving,) = [task for task in asyncio.all_tasks() if task.get_name() == "hookengine-writer"]
    serving.cancel()
    told = await asyncio.gather(held, asked, return_exceptions=True)
    go.set()

    assert [str(error) for error in told] == ["the store's writer has stopped"] * 2
    assert await writer.run(_note) == 1
