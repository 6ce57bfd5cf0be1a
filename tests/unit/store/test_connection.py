from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from hookengine.store.sqlite.connection import SharedConnection, connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def connection(path: Path) -> Iterator[SharedConnection]:
    connection = connect(path)
    connection.execute("CREATE TABLE note (text TEXT UNIQUE)")
    yield connection
    connection.close()


def _note(lent: Connection) -> None:
    lent.execute(text("INSERT INTO note VALUES (:text)"), {"text": "confidential"})


def _notes(path: Path) -> list[str]:
    beside = connect(path)
    notes = [note for (note,) in beside.execute("SELECT text FROM note")]
    beside.close()
    return notes


@pytest.mark.parametrize(("end", "kept"), [("COMMIT", ["confidential"]), ("ROLLBACK", [])])
def test_what_is_lent_ends_with_the_transaction_of_whom_it_belongs_to(
    connection: SharedConnection, path: Path, end: str, kept: list[str]
) -> None:
    connection.execute("BEGIN IMMEDIATE")

    connection.lend(_note)

    assert (connection.in_transaction, _notes(path)) == (True, [])
    connection.execute(end)
    assert _notes(path) == kept


def test_it_ends_no_transaction_when_it_is_asked_to(connection: SharedConnection, path: Path) -> None:
    def commit(lent: Connection) -> None:
        _note(lent)
        lent.commit()
        lent.execute(text("SELECT 1"))
        lent.rollback()

    connection.execute("BEGIN IMMEDIATE")
    connection.lend(commit)

    assert (connection.in_transaction, _notes(path)) == (True, [])


def test_it_is_lent_again_and_again(connection: SharedConnection, path: Path) -> None:
    for sentence in ("one", "two"):
        connection.lend(
            lambda lent, sentence=sentence: lent.execute(text(f"INSERT INTO note VALUES ('{sentence}')"))
        )

    assert _notes(path) == ["one", "two"]


def test_a_mistake_in_what_it_was_lent_for_leaves_the_transaction_open(connection: SharedConnection) -> None:
    def fail(lent: Connection) -> None:
        _note(lent)
        raise ValueError("a mistake")

    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(ValueError, match="a mistake"):
        connection.lend(fail)

    assert connection.in_transaction


def test_what_the_database_refuses_is_told_as_by_plain_statements_without_the_values(
    connection: SharedConnection,
) -> None:
    connection.lend(_note)

    with pytest.raises(sqlite3.IntegrityError) as caught:
        connection.lend(_note)

    assert str(caught.value) == "UNIQUE constraint failed: note.text"
    assert caught.value.__cause__ is None
