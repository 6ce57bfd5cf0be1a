from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hookengine.errors import EventConflict, StoreError
from hookengine.store.sqlite.store import connect
from hookengine.store.sqlite.writer import GroupWriter

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.db"
    connection = connect(path)
    connection.execute("CREATE TABLE note (text TEXT UNIQUE)")
    connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    connection.execute(
        "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    connection.close()
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[GroupWriter]:
    writer = GroupWriter(lambda: _connect_strictly(path))
    await writer.open()
    yield writer
    await writer.close()


def _connect_strictly(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _notes(path: Path) -> list[str]:
    connection = connect(path)
    notes = [text for (text,) in connection.execute("SELECT text FROM note ORDER BY text")]
    connection.close()
    return notes


def _note(text: str) -> Callable[[sqlite3.Connection], str]:
    def work(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO note VALUES (?)", (text,))
        return text

    return work


def _raise(error: Exception) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half done')")
        raise error

    return work


def _orphan(connection: sqlite3.Connection) -> None:
    """Fails when it is committed, not before."""
    connection.execute("INSERT INTO child VALUES (7)")


class Gate:
    """Work that holds the writer until it is opened, so that what is asked meanwhile is one group."""

    def __init__(self) -> None:
        self._entered, self._open = threading.Event(), threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        self._entered.set()
        self._open.wait(10)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._open.set()


async def _in_one_group(writer: GroupWriter, *work: Callable[[sqlite3.Connection], object]) -> list[object]:
    gate = Gate()
    held = asyncio.ensure_future(writer.run(gate))
    await gate.entered()
    asked = [asyncio.ensure_future(writer.run(one)) for one in work]
    await asyncio.sleep(0)
    gate.open()
    await held
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_work_is_durable_when_its_result_comes(writer: GroupWriter, path: Path) -> None:
    result = await writer.run(_note("a"))

    assert result == "a"
    assert _notes(path) == ["a"]


async def test_work_that_raises_undoes_itself_alone(writer: GroupWriter, path: Path) -> None:
    conflict = EventConflict("evt_1")

    results = await _in_one_group(writer, _note("a"), _raise(conflict), _note("b"))

    assert results == ["a", conflict, "b"]
    assert _notes(path) == ["a", "b"]


async def test_work_the_database_refuses_raises_a_store_error(writer: GroupWriter, path: Path) -> None:
    results = await _in_one_group(writer, _note("a"), _note("a"), _note("b"))

    first, again, last = results
    assert (first, last) == ("a", "b")
    assert isinstance(again, StoreError)
    assert "UNIQUE" in str(again)


async def test_a_failing_commit_fails_all_of_its_group(writer: GroupWriter, path: Path) -> None:
    results = await _in_one_group(writer, _note("a"), _orphan, _note("b"))

    assert [type(result) for result in results] == [StoreError] * 3
    assert _notes(path) == []


async def test_after_a_failing_commit_the_writer_goes_on(writer: GroupWriter, path: Path) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await writer.run(_orphan)

    await writer.run(_note("a"))

    assert _notes(path) == ["a"]


async def test_a_transaction_the_database_undid_by_itself_fails_its_group(
    writer: GroupWriter, path: Path
) -> None:
    def undone(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    results = await _in_one_group(writer, _note("a"), undone, _note("b"))

    assert [type(result) for result in results] == [StoreError] * 3
    assert _notes(path) == []
    assert await writer.run(_note("c")) == "c"


async def test_closing_still_writes_what_was_asked_before(path: Path) -> None:
    writer, gate = GroupWriter(lambda: connect(path)), Gate()
    await writer.open()
    held = asyncio.ensure_future(writer.run(gate))
    await gate.entered()
    asked = [asyncio.ensure_future(writer.run(_note(text))) for text in "abc"]
    await asyncio.sleep(0)

    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    gate.open()
    await closing

    assert [await one for one in asked] == ["a", "b", "c"]
    await held
    assert _notes(path) == ["a", "b", "c"]


async def test_a_closed_writer_takes_nothing(path: Path) -> None:
    writer = GroupWriter(lambda: connect(path))
    await writer.open()
    await writer.close()
    await writer.close()

    with pytest.raises(StoreError, match="closed"):
        await writer.run(_note("a"))


async def test_a_cancelled_caller_does_not_stop_the_work(writer: GroupWriter, path: Path) -> None:
    gate = Gate()
    held = asyncio.ensure_future(writer.run(gate))
    await gate.entered()
    asked = asyncio.ensure_future(writer.run(_note("a")))
    await asyncio.sleep(0)

    asked.cancel()
    gate.open()
    await held

    assert await writer.run(_note("b")) == "b"
    assert asked.cancelled()
    assert _notes(path) == ["a", "b"]


async def test_a_database_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    writer = GroupWriter(lambda: connect(tmp_path / "missing" / "notes.db"))

    with pytest.raises(StoreError, match="unable to open"):
        await writer.open()

    await writer.close()
