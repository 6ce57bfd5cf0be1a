"""What is asked all day long: plain statements, nothing around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookengine.domain.clock import Millis
from hookengine.store.calls import ActionKey, Remembered
from hookengine.store.cold.upkeep import NEXT_DUE

_SEALED = "SELECT sealed FROM context_secret WHERE pipeline_id = ? AND path = ?"


def remember(
    connection: sqlite3.Connection, events: Sequence[str], actions: Sequence[ActionKey]
) -> Remembered:
    known = {
        event_id: row
        for event_id in events
        if (
            row := connection.execute("SELECT digest, answer FROM event WHERE id = ?", (event_id,)).fetchone()
        )
    }
    remembered = {key: row for key in dict.fromkeys(actions) if (row := _action(connection, key))}
    return Remembered(events=known, actions={key: (row[1], row[2]) for key, row in remembered.items()})


def next_due(connection: sqlite3.Connection, now: Millis) -> Millis | None:
    due: Millis | None = connection.execute(NEXT_DUE, {"now": now}).fetchone()[0]
    return due


def sealed(connection: sqlite3.Connection, pipeline_id: int, path: str) -> str | None:
    row = connection.execute(_SEALED, (pipeline_id, path)).fetchone()
    return None if row is None else str(row[0])


def _action(connection: sqlite3.Connection, key: ActionKey) -> tuple[int, int, str] | None:
    row: tuple[int, int, str] | None = connection.execute(
        "SELECT first_seq, revision, context FROM action WHERE pipeline_id = ? AND action_id = ?", key
    ).fetchone()
    return row
