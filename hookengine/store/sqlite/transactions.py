"""Running a group of calls as one transaction, and alone each one that a shared transaction fails with."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hookengine.domain.retry import HOUR
from hookengine.errors import StoreError
from hookengine.store.books.asks import Ask, Claim
from hookengine.store.books.desk import Desk
from hookengine.store.books.group import converse
from hookengine.store.books.moments import after_commit, before_commit
from hookengine.store.contract import Claimed
from hookengine.store.sqlite.rows import STEPS


def run_group(connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[Any]:
    """A result or an exception for each call. Raises sqlite3.Error when the database itself fails."""
    try:
        return _transaction(connection, asks)
    except sqlite3.OperationalError:
        raise  # disk full, locked: none of them would do better alone
    except Exception as error:  # noqa: BLE001  one call's mistake must not fail its neighbours
        if len(asks) == 1:
            return [_alone(connection, asks[0], error)]
    return [result for ask in asks for result in run_group(connection, [ask])]


def _transaction(connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[Any]:
    now = max(ask.now for ask in asks)
    desk = Desk(now, asks[0].terms)
    connection.execute("BEGIN IMMEDIATE")
    try:
        conversation = converse(asks, desk)
        try:
            step = next(conversation)
            while True:
                step = conversation.send(STEPS[type(step)](connection, step))
        except StopIteration as ended:
            results: list[Any] = ended.value
        before_commit(asks, desk)
        connection.execute("COMMIT")
    except BaseException:
        desk.give_back()
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error counts
                connection.execute("ROLLBACK")
        raise
    after_commit(asks, desk)
    return results


def _alone(connection: sqlite3.Connection, ask: Ask, error: Exception) -> Any:
    """A claim goes on with the lanes that can be claimed; any other call is told what went wrong."""
    if not isinstance(ask, Claim):
        return StoreError(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error
    if not ask.alone:
        return run_group(connection, [replace(ask, alone=True)])[0]
    due = connection.execute(
        "SELECT id FROM lane WHERE head_id IS NOT NULL AND due_at <= ? ORDER BY waits_for IS NOT NULL, due_at LIMIT 1",
        (ask.now,),
    ).fetchone()
    if due is None:
        return error
    connection.execute("UPDATE lane SET waits_for = NULL, due_at = ? WHERE id = ?", (ask.now + HOUR, due[0]))
    return Claimed(stuck=(due[0],), more=True)
