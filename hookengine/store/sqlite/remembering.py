"""What the store knows of events and actions already. Every event asks: plain statements, nothing around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookengine.store.contract import ActionKey, Remembered


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


def _action(connection: sqlite3.Connection, key: ActionKey) -> tuple[int, int, str] | None:
    row: tuple[int, int, str] | None = connection.execute(
        "SELECT first_seq, revision, context FROM action WHERE pipeline_id = ? AND action_id = ?", key
    ).fetchone()
    return row
