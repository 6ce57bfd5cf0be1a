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
from hookengine.store.calls import Claimed
from hookengine.store.sqlite.rows import STEPS


def run_group(connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[Any]:
    """A result or an exception for each call. Raises sqlite3.Error or StoreError when the database itself fails."""
    claimed: list[int] = []
    try:
        return _transaction(connection, asks, claimed)
    except (sqlite3.OperationalError, StoreError):
        raise  # disk full, locked: none of them would do better alone
    except Exception as error:  # noqa: BLE001  one call's mistake must not fail its neighbours
        if len(asks) == 1:
            return [_alone(connection, asks[0], error, claimed)]
    return [result for ask in asks for result in run_group(connection, [ask])]


def _transaction(connection: sqlite3.Connection, asks: Sequence[Ask], claimed: list[int]) -> list[Any]:
    """If this raises, `claimed` holds the lanes that were looked at."""
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
        after_commit(asks, desk)
    except BaseException:
        claimed += desk.pages
        desk.give_back()
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error counts
                connection.execute("ROLLBACK")
        raise
    return results


def _alone(connection: sqlite3.Connection, ask: Ask, error: Exception, claimed: Sequence[int]) -> Any:
    """A claim goes on with the lanes that can be claimed; any other call is told what went wrong."""
    if not isinstance(ask, Claim):
        return StoreError(f"SQLite: {error}") if isinstance(error, sqlite3.Error) else error
    if not ask.alone:
        return run_group(connection, [replace(ask, alone=True)])[0]
    if not claimed:
        return error
    (lane_id,) = claimed
    connection.execute("UPDATE lane SET waits_for = NULL, due_at = ? WHERE id = ?", (ask.now + HOUR, lane_id))
    return Claimed(stuck=(lane_id,), more=True)
