"""The steps of a transaction in SQLite's words. Sets of values come as JSON: one statement whatever their size."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson

from hookengine.domain.delivery import Delivery
from hookengine.domain.gate import Gate
from hookengine.domain.hook import HookState
from hookengine.domain.lane import HookFacts, Lane
from hookengine.domain.request import RenderedRequest
from hookengine.domain.status_call import commit_of
from hookengine.store.books import columns, steps
from hookengine.store.books.columns import DELIVERY, DELIVERY_CHANGES, GATE, LANE, LANE_CHANGES
from hookengine.store.calls import ActionKey

_AMONG = "(SELECT value FROM json_each(?))"
_DELIVERY_HERE = ", ".join(f"d.{name.strip()}" for name in DELIVERY.split(","))
_WAITING = "status IN ('queued','retrying')"


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_INSERT_DELIVERY = (
    f"INSERT INTO delivery ({DELIVERY}, lane_id) VALUES ({_marks(len(DELIVERY.split(',')) + 1)})"
)
_UPDATE_DELIVERY = f"UPDATE delivery SET {', '.join(f'{name} = ?' for name in DELIVERY_CHANGES)} WHERE id = ?"
_INSERT_LANE = f"""
INSERT INTO lane (key, policy, {", ".join(LANE_CHANGES)}, id, sha) VALUES ({_marks(len(LANE_CHANGES) + 4)})
"""
_UPDATE_LANE = f"UPDATE lane SET {', '.join(f'{name} = ?' for name in LANE_CHANGES)} WHERE id = ?"
_SAVE_GATE = f"""
INSERT INTO gate ({GATE}, updated_at) VALUES ({_marks(8)})
ON CONFLICT (key) DO UPDATE SET open_at = excluded.open_at, failures = excluded.failures,
    trips = excluded.trips, probed_at = excluded.probed_at, recovering_since = excluded.recovering_since,
    passed = excluded.passed, updated_at = excluded.updated_at
"""
_SAVE_SEALED = """
INSERT INTO context_secret (pipeline_id, path, sealed, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (pipeline_id, path) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at
"""
_SAVE_CAPTURE = """
INSERT INTO capture (lane_id, action_seq, name, value) VALUES (?, ?, ?, ?)
ON CONFLICT (lane_id, action_seq, name) DO UPDATE SET value = excluded.value
"""
_CLOSE_ATTEMPT = """
UPDATE attempt SET outcome = ?, detail = ?, certainty = ?, verdict = ?, because = ?, next_at = ?,
    finished_at = ?, closed_by = ? WHERE token = ? AND finished_at IS NULL
"""
_LAST_ACTION = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'action'), 0)"
_LAST_LANE = _LAST_ACTION.replace("action", "lane")
_WAITED_FOR = """
WITH RECURSIVE waited(name) AS (
  SELECT min(waits_for) FROM lane WHERE waits_for IS NOT NULL
  UNION ALL
  SELECT (SELECT min(waits_for) FROM lane WHERE waits_for > name) FROM waited WHERE name IS NOT NULL
)
SELECT name, coalesce(trips, 0) > 0 FROM waited LEFT JOIN gate ON gate.key = name
WHERE name IS NOT NULL AND coalesce(open_at, 0) <= ?
  AND NOT (name LIKE 'hook:%'
    AND EXISTS (SELECT 1 FROM hook WHERE hook.id = substr(name, 6) AND hook.state = 'paused'))
"""


def _json(values: Iterable[Any]) -> str:
    return orjson.dumps(list(values)).decode()


def look(connection: sqlite3.Connection, step: steps.Look) -> steps.Known:
    events, attempts, deliveries = [], [], []
    if step.events:
        events = connection.execute(
            f"SELECT id, digest, answer FROM event WHERE id IN {_AMONG}", (_json(step.events),)
        ).fetchall()
    if step.tokens:
        attempts = connection.execute(
            "SELECT a.token, a.delivery_id, d.lane_id, a.started_at, a.closed_by, a.outcome"
            f" FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE a.token IN {_AMONG}",
            (_json(step.tokens),),
        ).fetchall()
    if step.deliveries:
        deliveries = connection.execute(
            f"SELECT id, lane_id, status FROM delivery WHERE id IN {_AMONG}", (_json(step.deliveries),)
        ).fetchall()
    return steps.Known(
        events={row[0]: (row[1], row[2]) for row in events},
        attempts={row[0]: steps.AttemptFacts(*row[1:]) for row in attempts},
        deliveries={row[0]: (row[1], row[2]) for row in deliveries},
    )


def load_originals(connection: sqlite3.Connection, step: steps.LoadOriginals) -> dict[str, steps.Original]:
    rows = connection.execute(f"{columns.ORIGINAL} WHERE d.id IN {_AMONG}", (_json(step.ids),))
    return {row[0]: columns.original_from(row) for row in rows}


def lock_actions(
    connection: sqlite3.Connection, step: steps.LockActions
) -> dict[ActionKey, steps.ActionFacts]:
    rows = connection.execute(
        "SELECT a.pipeline_id, a.action_id, a.first_seq, a.revision, a.open_since, a.ended_number"
        " FROM json_each(?) k JOIN action a"
        " ON a.pipeline_id = json_extract(k.value, '$[0]')"
        " AND a.action_id = json_extract(k.value, '$[1]')",
        (_json(step.keys),),
    )
    return {(row[0], row[1]): steps.ActionFacts(*row[2:]) for row in rows}


def write_actions(connection: sqlite3.Connection, step: steps.WriteActions) -> dict[ActionKey, int]:
    connection.executemany(
        "UPDATE action SET revision = ?, context = ?, updated_at = ?, open_since = ?, ended_number = ?"
        " WHERE first_seq = ?",
        step.moved,
    )
    made = dict[ActionKey, int]()
    if step.new:
        (last,) = connection.execute(_LAST_ACTION).fetchone()
        made = {(row.pipeline_id, row.action_id): last + place for place, row in enumerate(step.new, 1)}
    connection.executemany(
        "INSERT INTO action (first_seq, pipeline_id, action_id, revision, context, updated_at, open_since,"
        " ended_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(made[row.pipeline_id, row.action_id], *row) for row in step.new],
    )
    return made


def lock_lanes(connection: sqlite3.Connection, step: steps.LockLanes) -> steps.Lanes:
    """Nobody else writes: what is not there will not be there before this transaction has written it."""
    found, new = [], []
    if step.keys:
        found += connection.execute(
            f"SELECT {LANE} FROM lane WHERE key IN {_AMONG}", (_json(step.keys),)
        ).fetchall()
        missing = step.keys.keys() - {row[1] for row in found}
        if missing:
            (last,) = connection.execute(_LAST_LANE).fetchone()
            keys = [key for key in step.keys if key in missing]
            new = [Lane(id=id_, key=key, policy=step.keys[key]) for id_, key in enumerate(keys, last + 1)]
    if step.ids:
        found += connection.execute(
            f"SELECT {LANE} FROM lane WHERE id IN {_AMONG}", (_json(step.ids),)
        ).fetchall()
    return steps.Lanes([columns.lane_from(row) for row in {row[0]: row for row in found}.values()], new)


def lock_due(connection: sqlite3.Connection, step: steps.LockDue) -> list[Lane]:
    rows = connection.execute(
        f"SELECT {LANE} FROM lane WHERE head_id IS NOT NULL AND waits_for IS NULL AND due_at <= ?"
        " ORDER BY due_at LIMIT ?",
        (step.now, step.limit),
    )
    return [columns.lane_from(row) for row in rows]


def put_off(connection: sqlite3.Connection, step: steps.PutOff) -> None:
    connection.executemany(
        "UPDATE lane SET due_at = ? WHERE id = ?", [(step.due_at, lane_id) for lane_id in step.ids]
    )


def waited_for(connection: sqlite3.Connection, step: steps.WaitedFor) -> dict[str, bool]:
    return {name: bool(one_only) for name, one_only in connection.execute(_WAITED_FOR, (step.now,))}


def lock_waiting(connection: sqlite3.Connection, step: steps.LockWaiting) -> list[Lane]:
    return [
        columns.lane_from(row)
        for name, limit in step.limits.items()
        for row in connection.execute(
            f"SELECT {LANE} FROM lane WHERE waits_for = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
            (name, step.now, limit),
        )
    ]


def load_deliveries(connection: sqlite3.Connection, step: steps.LoadDeliveries) -> list[tuple[int, Delivery]]:
    found = []
    if step.ids:
        found += connection.execute(
            f"SELECT {DELIVERY}, lane_id FROM delivery WHERE id IN {_AMONG}", (_json(step.ids),)
        ).fetchall()
    if step.waiting_in:
        found += connection.execute(
            f"SELECT {_DELIVERY_HERE}, d.lane_id FROM json_each(?) l JOIN delivery d ON d.id IN"
            f" (SELECT id FROM delivery WHERE lane_id = l.value AND {_WAITING}"
            " ORDER BY seq LIMIT ?)",
            (_json(step.waiting_in), step.first),
        ).fetchall()
    for lane_id, since in step.doubted_in.items():
        found += connection.execute(
            f"SELECT {DELIVERY}, lane_id FROM delivery WHERE lane_id = ? AND doubt_until > ? AND doubt_until > 0",
            (lane_id, since),
        ).fetchall()
    return _deliveries(found)


def load_waiting_besides(
    connection: sqlite3.Connection, step: steps.LoadWaitingBesides
) -> list[tuple[int, Delivery]]:
    found = []
    for lane_id in step.lanes:
        found += connection.execute(
            f"SELECT {DELIVERY}, lane_id FROM delivery d WHERE lane_id = ? AND {_WAITING} AND NOT EXISTS"
            " (SELECT 1 FROM hook h WHERE h.id = d.hook_id"
            " AND (h.state = 'paused' OR d.accepted_at <= h.off_at)) ORDER BY seq LIMIT 1",
            (lane_id,),
        ).fetchall()
    return _deliveries(found)


def load_hooks(connection: sqlite3.Connection, step: steps.LoadHooks) -> dict[str, HookFacts]:
    rows = connection.execute(
        f"SELECT id, off_at, state, failing_since FROM hook WHERE id IN {_AMONG}", (_json(step.ids),)
    )
    return {
        row[0]: HookFacts(off_at=row[1], paused=row[2] == HookState.PAUSED, failing_since=row[3])
        for row in rows
    }


def lock_gates(connection: sqlite3.Connection, step: steps.LockGates) -> dict[str, Gate]:
    rows = connection.execute(f"SELECT {GATE} FROM gate WHERE key IN {_AMONG}", (_json(step.keys),))
    return {row[0]: columns.gate_from(row) for row in rows}


def load_requests(connection: sqlite3.Connection, step: steps.LoadRequests) -> dict[str, RenderedRequest]:
    rows = connection.execute(f"SELECT id, document FROM request WHERE id IN {_AMONG}", (_json(step.ids),))
    return {row[0]: RenderedRequest.from_json(row[1]) for row in rows}


def load_captures(
    connection: sqlite3.Connection, step: steps.LoadCaptures
) -> list[tuple[int, int, str, str]]:
    return connection.execute(
        f"SELECT lane_id, action_seq, name, value FROM capture WHERE lane_id IN {_AMONG}",
        (_json(step.lanes),),
    ).fetchall()


def write(connection: sqlite3.Connection, step: steps.Write) -> None:
    many = connection.executemany
    many(
        "INSERT INTO event (id, type, action_seq, revision, digest, document, answer, accepted_at,"
        " occurred_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        step.events,
    )
    many("INSERT INTO request (id, document) VALUES (?, ?)", step.requests)
    many(
        _INSERT_DELIVERY,
        [columns.delivery_values(row, lane_id) for lane_id, row in step.new_deliveries.values()],
    )
    many(_SAVE_SEALED, step.secrets)
    many(_UPDATE_DELIVERY, [columns.delivery_changes(row) for row in step.changed_deliveries.values()])
    many(_INSERT_LANE, [(*row, commit_of(row[0])) for row in step.new_lanes])
    many(_UPDATE_LANE, step.lanes)
    many(_CLOSE_ATTEMPT, step.closed)
    many(
        "INSERT INTO attempt (delivery_id, number, token, node, started_at) VALUES (?, ?, ?, ?, ?)",
        step.opened,
    )
    many("UPDATE attempt SET late_outcome = ?, late_at = ? WHERE token = ?", step.late)
    many(
        "DELETE FROM attempt WHERE token = ? AND finished_at IS NULL", [(token,) for token in step.taken_back]
    )
    if step.captures:
        many(_SAVE_CAPTURE, [(*key, value) for key, value in step.captures.items()])
    for hook in step.hooks:
        _change_hook(connection, hook)
    many(_SAVE_GATE, [columns.gate_values(gate, step.now) for gate in step.gates.values()])


def _change_hook(connection: sqlite3.Connection, hook: steps.HookChange) -> None:
    connection.execute("UPDATE hook SET failing_since = ? WHERE id = ?", (hook.failing_since, hook.id))
    if hook.state is None:
        return
    connection.execute(
        "UPDATE hook SET state = ?, because = ?, off_at = coalesce(?, off_at)"
        " WHERE id = ? AND (state = 'active' OR ? = 'disabled')",
        (hook.state, hook.because, hook.off_at, hook.id, hook.state),
    )
    connection.execute("UPDATE definitions SET version = version + 1")


def _deliveries(found: Collection[Any]) -> list[tuple[int, Delivery]]:
    return [(row[-1], columns.delivery_from(row)) for row in found]


STEPS: dict[type, Callable[[sqlite3.Connection, Any], Any]] = {
    steps.Look: look,
    steps.LoadOriginals: load_originals,
    steps.LockActions: lock_actions,
    steps.WriteActions: write_actions,
    steps.LockLanes: lock_lanes,
    steps.LockDue: lock_due,
    steps.PutOff: put_off,
    steps.WaitedFor: waited_for,
    steps.LockWaiting: lock_waiting,
    steps.LoadDeliveries: load_deliveries,
    steps.LoadWaitingBesides: load_waiting_besides,
    steps.LoadHooks: load_hooks,
    steps.LockGates: lock_gates,
    steps.LoadCaptures: load_captures,
    steps.LoadRequests: load_requests,
    steps.Write: write,
}
