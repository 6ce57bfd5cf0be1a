"""Periodic care of the file."""

from __future__ import annotations

import sqlite3

from hookengine.domain.clock import Millis

_AT_REST = """
SELECT id FROM lane
WHERE head_id IS NULL AND token IS NULL AND doubt_until <= ?
  AND NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.lane_id = lane.id AND (
      d.ended_at IS NULL
      OR d.ended_at > CASE d.status WHEN 'failed' THEN ? ELSE ? END
    )
  )
LIMIT ?
"""


def expire_leases(connection: sqlite3.Connection, now: Millis) -> int:
    return connection.execute("UPDATE lane SET due_at = ? WHERE token IS NOT NULL", (now,)).rowcount


def next_due(connection: sqlite3.Connection) -> Millis | None:
    (due,) = connection.execute("SELECT min(due_at) FROM lane WHERE head_id IS NOT NULL").fetchone()
    return None if due is None else int(due)


def prune(connection: sqlite3.Connection, delivered_before: Millis, failed_before: Millis, limit: int) -> int:
    """A lane goes with its last delivery: without its newest position an older event could get out again."""
    lanes = connection.execute(
        _AT_REST, (delivered_before, failed_before, delivered_before, limit)
    ).fetchall()
    for (lane_id,) in lanes:
        _delete_deliveries(connection, "lane_id = ?", lane_id)
        connection.execute("DELETE FROM lane WHERE id = ?", (lane_id,))
    _delete_deliveries(connection, "lane_id IS NULL AND ended_at <= ?", failed_before)
    connection.execute(
        "DELETE FROM event WHERE accepted_at <= ? AND NOT EXISTS"
        " (SELECT 1 FROM delivery d WHERE d.event_id = event.id)",
        (delivered_before,),
    )
    connection.execute(
        "DELETE FROM action WHERE updated_at <= ? AND NOT EXISTS"
        " (SELECT 1 FROM event e WHERE e.action_seq = action.first_seq)",
        (delivered_before,),
    )
    return len(lanes)


def _delete_deliveries(connection: sqlite3.Connection, where: str, value: int) -> None:
    doomed = f"SELECT id FROM delivery WHERE {where}"
    connection.execute(f"DELETE FROM attempt WHERE delivery_id IN ({doomed})", (value,))
    connection.execute(f"DELETE FROM request WHERE id IN ({doomed})", (value,))
    connection.execute(f"DELETE FROM delivery WHERE {where}", (value,))


def sweep(connection: sqlite3.Connection, now: Millis) -> int:
    """Deliveries that are being sent by nobody, and lanes in which something waits but nothing is head.

    The lane protocol leaves neither behind.
    """
    orphaned = connection.execute(
        "UPDATE delivery SET status = 'retrying', because = 'nobody was sending it any more'"
        " WHERE status = 'sending' AND NOT EXISTS ("
        "  SELECT 1 FROM lane l WHERE l.id = delivery.lane_id AND l.head_id = delivery.id AND l.token IS NOT NULL)"
    )
    mended = connection.execute(
        "UPDATE lane SET due_at = max(?, not_before), head_id = ("
        "  SELECT d.id FROM delivery d WHERE d.lane_id = lane.id AND d.status IN ('queued','retrying')"
        "  ORDER BY d.seq LIMIT 1)"
        " WHERE head_id IS NULL AND EXISTS ("
        "  SELECT 1 FROM delivery d WHERE d.lane_id = lane.id AND d.status IN ('queued','retrying'))",
        (now,),
    )
    return orphaned.rowcount + mended.rowcount
