from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hookengine.errors import EventConflict, StoreError
from hookengine.store.books.asks import Accept, Ask
from hookengine.store.sqlite.connection import SharedConnection, connect
from hookengine.store.sqlite.writer import GroupWriter
from tests.conftest import NOW
from tests.contract.conftest import Seats, owed, owed_delivery, terms

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
    """Work that holds the writer until it is opened, so that what is asked meanwhile waits together."""

    def __init__(self) -> None:
        self._entered, self._open = threading.Event(), threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        self._entered.set()
        self._open.wait(60)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._open.set()


async def _while_busy(writer: GroupWriter, *calls: Ask | Callable[[sqlite3.Connection], object]) -> list[Any]:
    gate = Gate()
    held = asyncio.ensure_future(writer.run(gate))
    await gate.entered()
    asked = [asyncio.ensure_future(writer.run(one) if callable(one) else writer.ask(one)) for one in calls]
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

    results = await _while_busy(writer, _note("a"), _raise(conflict), _note("b"))

    assert results == ["a", conflict, "b"]
    assert _notes(path) == ["a", "b"]


async def test_work_the_database_refuses_raises_a_store_error(writer: GroupWriter, path: Path) -> None:
    results = await _while_busy(writer, _note("a"), _note("a"), _note("b"))

    first, again, last = results
    assert (first, last) == ("a", "b")
    assert isinstance(again, StoreError)
    assert "UNIQUE" in str(again)


async def test_a_failing_commit_fails_its_work_alone(writer: GroupWriter, path: Path) -> None:
    results = await _while_busy(writer, _note("a"), _orphan, _note("b"))

    first, failed, last = results
    assert (first, type(failed), last) == ("a", StoreError, "b")
    assert _notes(path) == ["a", "b"]


async def test_after_a_failing_commit_the_writer_goes_on(writer: GroupWriter, path: Path) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await writer.run(_orphan)

    await writer.run(_note("a"))

    assert _notes(path) == ["a"]


async def test_a_transaction_the_database_undid_by_itself_fails_its_work_alone(
    writer: GroupWriter, path: Path
) -> None:
    def undone(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    first, failed, last = await _while_busy(writer, _note("a"), undone, _note("b"))

    assert (first, type(failed), last) == ("a", StoreError, "b")
    assert _notes(path) == ["a", "b"]


# Calls, which share transactions


@pytest.fixture
async def calls(database: Path) -> AsyncIterator[GroupWriter]:
    writer = GroupWriter(lambda: connect(database))
    await writer.open()
    yield writer
    await writer.close()


def _accept(name: str, room: Seats | None = None, **changes: Any) -> Accept:
    event = owed(name, action_id=name, lane_key=name, **changes)
    return Accept([event], NOW, terms(room=room or Seats(0)))


async def test_calls_next_to_each_other_share_a_transaction(calls: GroupWriter) -> None:
    sizes: list[int] = []
    calls.on_commit = lambda seconds, shared: sizes.append(shared)

    results = await _while_busy(calls, _accept("a"), _accept("b"), lambda connection: "work", _accept("c"))

    assert sizes == [1, 2, 1, 1]
    assert [result.accepted[0].fresh for result in (*results[:2], results[3])] == [True] * 3
    assert results[2] == "work"


async def test_calls_that_follow_from_one_another_share_a_transaction(calls: GroupWriter) -> None:
    """Each is made a turn of the loop after the one before, as by tasks that wake one another."""
    sizes: list[int] = []
    calls.on_commit = lambda seconds, shared: sizes.append(shared)

    asked = []
    for name in "abcdefgh":
        asked.append(calls.ask(_accept(name)))
        await asyncio.sleep(0)
    await asyncio.gather(*asked)

    assert sizes == [8]


async def test_only_the_thread_waits_for_another_process(database: Path) -> None:
    began: list[tuple[bool, int]] = []

    class Watched(SharedConnection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                patience = super().execute("PRAGMA busy_timeout").fetchone()[0]
                began.append((threading.current_thread() is threading.main_thread(), patience))
                in_the_way.execute("ROLLBACK") if len(began) == 2 else None
            return super().execute(sql, *arguments)

    in_the_way = connect(database)
    writer = GroupWriter(
        lambda: sqlite3.connect(database, factory=Watched, isolation_level=None, check_same_thread=False)
    )
    await writer.open()
    in_the_way.execute("BEGIN IMMEDIATE")
    accepted = (await writer.ask(_accept("a"))).accepted
    await writer.close()
    in_the_way.close()

    assert began == [(True, 0), (False, 5000)]
    assert accepted[0].fresh


async def test_a_call_that_makes_a_mistake_fails_alone_and_keeps_no_seat(
    calls: GroupWriter, database: Path
) -> None:
    room = Seats(5)
    twice = Accept(
        [owed("b", owed_delivery("same"), owed_delivery("same", hook_id="h2"))], NOW, terms(room=room)
    )

    first, failed, last = await _while_busy(calls, _accept("a", room), twice, _accept("c", room))

    assert [leased.delivery_id for leased in (*first.leased, *last.leased)] == ["dlv_a", "dlv_c"]
    assert isinstance(failed, StoreError)
    assert [seat.hook_id for seat in room.taken] == ["hook_1", "hook_1"]


async def test_what_one_call_has_committed_stands_when_the_database_fails_for_the_next(
    database: Path,
) -> None:
    """They go one by one, as one of them makes a mistake; then the disk is full."""
    room, committed = Seats(5), []

    class Filling(SharedConnection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and room.taken:
                if committed:
                    raise sqlite3.OperationalError("database or disk is full")
                committed.append(sql)
            return super().execute(sql, *arguments)

    twice = Accept([owed("b", owed_delivery("same"), owed_delivery("same", hook_id="h2"))], NOW, terms())
    writer = GroupWriter(
        lambda: sqlite3.connect(database, factory=Filling, isolation_level=None, check_same_thread=False)
    )
    await writer.open()
    first, mistaken, failed, last = await _while_busy(
        writer, _accept("a", room), twice, _accept("c", room), _accept("d", room)
    )
    await writer.close()

    assert [leased.delivery_id for leased in first.leased] == ["dlv_a"]
    assert "UNIQUE" in str(mistaken)
    assert [str(error) for error in (failed, last)] == ["SQLite: database or disk is full"] * 2
    assert len(room.taken) == 1


async def test_a_commit_that_fails_fails_all_that_share_it_and_gives_their_seats_back(
    database: Path,
) -> None:
    room, broken = Seats(5), [sqlite3.OperationalError("disk I/O error")]

    class Failing(SharedConnection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and room.taken and broken:
                raise broken.pop()
            return super().execute(sql, *arguments)

    writer = GroupWriter(lambda: sqlite3.connect(database, factory=Failing, isolation_level=None))
    await writer.open()
    failed = await _while_busy(writer, _accept("a", room), _accept("b", room))
    free = room.free
    again = await _while_busy(writer, _accept("a", room), _accept("b", room))
    await writer.close()

    assert [str(error) for error in failed] == ["SQLite: disk I/O error"] * 2
    assert (free, room.free) == (5, 3)
    assert [len(intake.leased) for intake in again] == [1, 1]


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
