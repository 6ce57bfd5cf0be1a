"""Periodic care of the file."""

from __future__ import annotations

import sqlite3

from hookengine.domain.clock import Millis
from hookengine.store.contract import Figures, Overdue

_AT_REST = """
SELECT id FROM lane
WHERE head_id IS NULL AND due_at <= :rested AND doubt_until <= :delivered
  AND NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.lane_id = lane.id AND (
      d.ended_at IS NULL
      OR d.ended_at > CASE d.status WHEN 'failed' THEN :failed ELSE :delivered END
    )
  )
ORDER BY due_at LIMIT :limit
"""
_WITHOUT_LANE = "SELECT id FROM delivery WHERE lane_id IS NULL AND ended_at <= ? LIMIT ?"
_OF_LANE = "SELECT id FROM delivery WHERE lane_id = ? LIMIT ?"
_OLD_EVENTS = """
DELETE FROM event WHERE id IN (
  SELECT e.id FROM event e WHERE e.accepted_at <= :delivered
    AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.event_id = e.id)
  LIMIT :limit
)
"""
_OLD_ACTIONS = """
DELETE FROM action WHERE first_seq IN (
  SELECT a.first_seq FROM action a WHERE a.updated_at <= :delivered
    AND NOT EXISTS (SELECT 1 FROM event e WHERE e.action_seq = a.first_seq)
  LIMIT :limit
)
"""
_ORPHANS = """
SELECT d.id, l.policy = 'latest' AND d.seq <> l.newest_seq
FROM delivery d LEFT JOIN lane l ON l.id = d.lane_id
WHERE d.status = 'sending' AND (l.head_id IS NOT d.id OR l.token IS NULL)
"""
_NEXT = "SELECT d.id FROM delivery d WHERE d.lane_id = lane.id AND d.status IN ('queued','retrying') ORDER BY d.seq"
_MEND = f"""
UPDATE lane SET due_at = max(:now, not_before),
  head_id = CASE policy WHEN 'latest' THEN ({_NEXT} DESC LIMIT 1) ELSE ({_NEXT} LIMIT 1) END
WHERE head_id IS NULL AND id IN (SELECT lane_id FROM delivery WHERE status IN ('queued','retrying'))
"""


def expire_leases(connection: sqlite3.Connection, now: Millis) -> int:
    return connection.execute("UPDATE lane SET due_at = ? WHERE token IS NOT NULL", (now,)).rowcount


def next_due(connection: sqlite3.Connection, now: Millis) -> Millis | None:
    """Behind a gate a lane is due when that opens; for room nobody knows when it comes."""
    (due,) = connection.execute(
        "SELECT min(due_at) FROM lane WHERE head_id IS NOT NULL AND waits_for IS NULL"
    ).fetchone()
    (opens,) = connection.execute(
        "SELECT min(open_at) FROM gate WHERE open_at > ?"
        " AND EXISTS (SELECT 1 FROM lane WHERE waits_for = gate.key)",
        (now,),
    ).fetchone()
    return min((instant for instant in (due, opens) if instant is not None), default=None)


def overdue(connection: sqlite3.Connection, before: Millis, limit: int) -> tuple[Overdue, ...]:
    rows = connection.execute(
        "SELECT pipeline_id, action_id, first_seq, open_since, context FROM action"
        " WHERE open_since IS NOT NULL AND open_since < ? ORDER BY open_since LIMIT ?",
        (before, limit),
    )
    return tuple(
        Overdue(pipeline_id=row[0], action_id=row[1], first_seq=row[2], open_since=row[3], context=row[4])
        for row in rows
    )


def figures(connection: sqlite3.Connection, now: Millis) -> Figures:
    """Waiting deliveries are counted by their index, at most a million of them."""
    (waiting,) = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE status IN ('queued','retrying') LIMIT 1000000)"
    ).fetchone()
    (due,) = connection.execute(
        "SELECT min(due_at) FROM lane WHERE head_id IS NOT NULL AND token IS NULL AND due_at <= ?", (now,)
    ).fetchone()
    (leases,) = connection.execute(
        "SELECT count(*) FROM lane WHERE head_id IS NOT NULL AND waits_for IS NULL AND token IS NOT NULL"
    ).fetchone()
    circuits = connection.execute("SELECT key, open_at, probed_at FROM gate WHERE trips > 0").fetchall()
    return Figures(
        waiting=waiting,
        oldest_due=due,
        leases=leases,
        circuits={
            key.removeprefix("host:"): "open" if open_at > now and probed_at < 0 else "half-open"
            for key, open_at, probed_at in circuits
        },
    )


def prune(connection: sqlite3.Connection, delivered_before: Millis, failed_before: Millis, limit: int) -> int:
    """A lane goes with its last delivery: without its newest position an older event could get out again."""
    values = {
        "delivered": delivered_before,
        "failed": failed_before,
        "rested": max(delivered_before, failed_before),
        "limit": limit,
    }
    gone = [
        *_delete_lanes(connection, values),
        _delete_deliveries(connection, _WITHOUT_LANE, failed_before, limit),
        connection.execute(_OLD_EVENTS, values).rowcount,
        connection.execute(_OLD_ACTIONS, values).rowcount,
    ]
    return max(gone)


def _delete_lanes(connection: sqlite3.Connection, values: dict[str, int]) -> tuple[int, int]:
    """How many lanes went, and how many deliveries: one with too many of them goes bit by bit."""
    lanes, deliveries, limit = 0, 0, values["limit"]
    for (lane_id,) in connection.execute(_AT_REST, values).fetchall():
        if deliveries >= limit:
            break
        deliveries += _delete_deliveries(connection, _OF_LANE, lane_id, limit - deliveries)
        if connection.execute(_OF_LANE, (lane_id, 1)).fetchone() is None:
            lanes += connection.execute("DELETE FROM lane WHERE id = ?", (lane_id,)).rowcount
        else:  # what it shows may be gone already, and with it what a repair would send
            connection.execute("UPDATE lane SET shown_id = NULL WHERE id = ?", (lane_id,))
    return lanes, deliveries


def _delete_deliveries(connection: sqlite3.Connection, doomed: str, value: int, limit: int) -> int:
    ids = connection.execute(doomed, (value, limit)).fetchall()
    connection.executemany("DELETE FROM attempt WHERE delivery_id = ?", ids)
    connection.executemany("DELETE FROM request WHERE id = ?", ids)
    connection.executemany("DELETE FROM delivery WHERE id = ?", ids)
    return len(ids)


def sweep(connection: sqlite3.Connection, now: Millis) -> int:
    """Deliveries that are being sent by nobody, and lanes in which something waits but nothing is head.

    The lane protocol leaves neither behind.
    """
    orphans = connection.execute(_ORPHANS).fetchall()
    for delivery_id, outdated in orphans:
        connection.execute(
            "UPDATE attempt SET outcome = 'Unknown', certainty = 'doubtful', finished_at = ?,"
            " closed_by = 'rescue' WHERE delivery_id = ? AND finished_at IS NULL",
            (now, delivery_id),
        )
        connection.execute(
            "UPDATE delivery SET status = ?, ended_at = ?, because = 'nobody was sending it any more'"
            " WHERE id = ?",
            ("superseded" if outdated else "retrying", now if outdated else None, delivery_id),
        )
    return len(orphans) + connection.execute(_MEND, {"now": now}).rowcount
