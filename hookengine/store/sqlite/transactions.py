"""A group of calls as one transaction: decided, then committed; and alone each one that fails the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hookengine.domain.identity import next_token
from hookengine.domain.retry import HOUR
from hookengine.domain.struct import struct
from hookengine.errors import StoreError
from hookengine.store.books.asks import Ask, Claim
from hookengine.store.books.desk import Desk
from hookengine.store.books.group import converse
from hookengine.store.books.moments import after_commit, before_commit
from hookengine.store.calls import Claimed
from hookengine.store.sqlite.failures import told, undo
from hookengine.store.sqlite.rows import STEPS


@struct(kw_only=False)
class Decided:
    """Written, but not committed: a result or an exception for each call."""

    asks: Sequence[Ask]
    desk: Desk
    results: list[Any]


def decide(
    connection: sqlite3.Connection, asks: Sequence[Ask], looked_at: list[int] | None = None
) -> Decided:
    """Begins a transaction, and leaves it open. If this raises, it is undone, and `looked_at` has its lanes."""
    desk = Desk(max([ask.now for ask in asks]), asks[0].terms, next_token)
    with _undoing(connection, desk, looked_at):
        connection.execute("BEGIN IMMEDIATE")
        conversation = converse(asks, desk)
        try:
            step = next(conversation)
            while True:
                step = conversation.send(STEPS[type(step)](connection, step))
        except StopIteration as ended:
            return Decided(asks, desk, ended.value)


def commit(connection: sqlite3.Connection, decided: Decided) -> None:
    """If this raises, it is undone, unless what raised came after the commit."""
    with _undoing(connection, decided.desk):
        before_commit(decided.asks, decided.desk)
        connection.execute("COMMIT")
        after_commit(decided.asks, decided.desk)


def run_group(connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[Any]:
    """A result or an exception for each call. Raises sqlite3.Error or StoreError when the database itself fails
    before any of them was written."""
    looked_at: list[int] = []
    try:
        decided = decide(connection, asks, looked_at)
        commit(connection, decided)
    except (sqlite3.OperationalError, StoreError):
        raise  # disk full, locked: none of them would do better alone
    except Exception as error:  # noqa: BLE001  one call's mistake must not fail its neighbours
        if len(asks) == 1:
            return [_alone(connection, asks[0], error, looked_at)]
    else:
        return decided.results
    return _one_by_one(connection, asks)


def _one_by_one(connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[Any]:
    """Where the database fails, what came before it stands, and none of the rest would do better."""
    results: list[Any] = []
    for ask in asks:
        try:
            results += run_group(connection, [ask])
        except Exception as error:  # noqa: BLE001  who asked is told
            return results + [told(error)] * (len(asks) - len(results))
    return results


@contextmanager
def _undoing(
    connection: sqlite3.Connection, desk: Desk, looked_at: list[int] | None = None
) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if looked_at is not None:
            looked_at += desk.pages
        desk.give_back()
        undo(connection)
        raise


def _alone(connection: sqlite3.Connection, ask: Ask, error: Exception, looked_at: Sequence[int]) -> Any:
    """A claim goes on with the lanes that can be claimed; any other call is told what went wrong."""
    if not isinstance(ask, Claim):
        return told(error)
    if not ask.alone:
        return run_group(connection, [replace(ask, alone=True)])[0]
    if not looked_at:
        return error
    (lane_id,) = looked_at
    connection.execute("UPDATE lane SET waits_for = NULL, due_at = ? WHERE id = ?", (ask.now + HOUR, lane_id))
    return Claimed(stuck=(lane_id,), more=True)
