"""What is asked all day long: plain statements, nothing around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import zip_longest

from hookengine.domain.clock import Millis
from hookengine.store.calls import ActionKey, Remembered
from hookengine.store.cold.upkeep import NEXT_DUE

_EVENT_AND_ACTION = """
SELECT e.digest, e.answer, a.revision, a.context
FROM (SELECT 1) LEFT JOIN event e ON e.id = ? LEFT JOIN action a ON a.pipeline_id = ? AND a.action_id = ?
"""
_SEALED = "SELECT sealed FROM context_secret WHERE pipeline_id = ? AND path = ?"


def remember(
    connection: sqlite3.Connection, events: Sequence[str], actions: Sequence[ActionKey]
) -> Remembered:
    """An event and an action at a time: to begin to read costs more than what is read."""
    known, remembered = dict[str, tuple[str, str]](), dict[ActionKey, tuple[int, str]]()
    for event, action in zip_longest(events, dict.fromkeys(actions)):
        row = connection.execute(_EVENT_AND_ACTION, (event, *(action or (None, None)))).fetchone()
        digest, answer, revision, context = row
        if digest is not None:
            known[event] = digest, answer
        if revision is not None:
            remembered[action] = revision, context
    return Remembered(events=known, actions=remembered)


def next_due(connection: sqlite3.Connection, now: Millis) -> Millis | None:
    due: Millis | None = connection.execute(NEXT_DUE, {"now": now}).fetchone()[0]
    return due


def sealed(connection: sqlite3.Connection, pipeline_id: int, path: str) -> str | None:
    row = connection.execute(_SEALED, (pipeline_id, path)).fetchone()
    return None if row is None else str(row[0])
