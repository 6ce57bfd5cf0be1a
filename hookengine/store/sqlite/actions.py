"""Actions: what they are remembered by, and ids for those that incoming hooks start."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookengine.domain.clock import Millis
from hookengine.store.contract import ActionKey, Remembered

FIRST_OWN_ACTION = 1_000_000_000
"""Added to the ids of actions that incoming hooks start, so that they are no ids of the platform's own."""


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


def new_action(connection: sqlite3.Connection, pipeline_id: int, now: Millis) -> int:
    """Ids count up over all pipelines, from where platforms rarely are; one that is used already is skipped."""
    while True:
        (first_seq,) = connection.execute(
            "INSERT INTO action (pipeline_id, action_id, revision, context, updated_at)"
            " VALUES (?, '?' || random(), 0, '{}', ?) RETURNING first_seq",
            (pipeline_id, now),
        ).fetchone()
        action_id = FIRST_OWN_ACTION + int(first_seq)
        taken = connection.execute(
            "UPDATE OR IGNORE action SET action_id = ? WHERE first_seq = ?", (str(action_id), first_seq)
        )
        if taken.rowcount == 1:
            return action_id
        connection.execute("DELETE FROM action WHERE first_seq = ?", (first_seq,))  # its number is spent


def _action(connection: sqlite3.Connection, key: ActionKey) -> tuple[int, int, str] | None:
    row: tuple[int, int, str] | None = connection.execute(
        "SELECT first_seq, revision, context FROM action WHERE pipeline_id = ? AND action_id = ?", key
    ).fetchone()
    return row
