"""The steps of a transaction in PostgreSQL's words, but for the last. Sets of values come as arrays: one
statement whatever their size.

A lane is locked in a statement of its own. What is read of it is what it is once the lock is held, while
everything else that statement reads may be older: deliveries are read afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from hookengine.domain.delivery import Delivery
from hookengine.domain.gate import Gate
from hookengine.domain.hook import HookState
from hookengine.domain.lane import HookFacts, Lane
from hookengine.domain.request import RenderedRequest
from hookengine.domain.status_call import commit_of
from hookengine.errors import StoreRaced
from hookengine.store.books import columns, steps
from hookengine.store.books.columns import DELIVERY, GATE, LANE
from hookengine.store.calls import ActionKey
from hookengine.store.postgres.parts import Part
from hookengine.store.postgres.writing import write

Rows = Sequence[Any]

_WAITING = "status IN ('queued','retrying')"

_LOOK = """
SELECT 1, id, digest, answer, NULL::bigint, NULL::bigint, NULL::bigint FROM event WHERE id = ANY ($1::text[])
UNION ALL
SELECT 2, a.delivery_id, a.closed_by, a.outcome, a.token, d.lane_id, a.started_at
FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE a.token = ANY ($2::bigint[])
UNION ALL
SELECT 3, id, status, NULL, lane_id, NULL, NULL FROM delivery WHERE id = ANY ($3::text[])
"""
_LOAD_ORIGINALS = f"{columns.ORIGINAL} WHERE d.id = ANY ($1::text[])"
_LOCK_ACTIONS = """
SELECT a.pipeline_id, a.action_id, a.first_seq, a.revision, a.open_since, a.ended_number
FROM unnest($1::bigint[], $2::text[]) AS k (pipeline_id, action_id)
JOIN action a ON a.pipeline_id = k.pipeline_id AND a.action_id = k.action_id
ORDER BY a.first_seq FOR NO KEY UPDATE OF a
"""
_MOVED_ACTIONS = Part.of(
    """
UPDATE action SET revision = v.revision, context = v.context, updated_at = v.updated_at,
    open_since = v.open_since, ended_number = v.ended_number
FROM {rows} WHERE action.first_seq = v.first_seq
""",
    "revision, context, updated_at, open_since, ended_number, first_seq",
)
_MOVE_ACTIONS = _MOVED_ACTIONS.numbered(1)
# Counted up in the order given, written in the order of their keys: so no two transactions wait for each other.
_NEW_ACTIONS = Part.of(
    """
WITH given AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('action', 'first_seq')) AS first_seq, v.* FROM {rows}
)
INSERT INTO action (first_seq, pipeline_id, action_id, revision, context, updated_at, open_since, ended_number)
SELECT * FROM given ORDER BY pipeline_id, action_id
ON CONFLICT DO NOTHING RETURNING pipeline_id, action_id, first_seq
""",
    "pipeline_id, action_id, revision, context, updated_at, open_since, ended_number",
)
_INSERT_ACTIONS = _NEW_ACTIONS.numbered(1)
_LOCK_LANES = f"SELECT {LANE} FROM lane WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
_NEW_LANES = Part.of(
    f"""
WITH made AS (
  INSERT INTO lane (key, policy, sha) SELECT v.* FROM {{rows}}
  ON CONFLICT (key) DO NOTHING RETURNING {LANE}
), found AS (
  SELECT {LANE} FROM lane WHERE key = ANY ($2::text[]) OR id = ANY ($3::bigint[])
  ORDER BY id FOR NO KEY UPDATE
)
SELECT * FROM made UNION ALL SELECT * FROM found
""",
    "key, policy, sha",
)
_MAKE_AND_LOCK_LANES = _NEW_LANES.numbered(1)
_CLAIMABLE = "head_id IS NOT NULL AND waits_for IS NULL AND due_at <= $1"
_LOCK_DUE = f"""
WITH due AS MATERIALIZED (
  SELECT {LANE} FROM lane WHERE {_CLAIMABLE} ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
SELECT * FROM due ORDER BY due_at
"""
_LOCK_FREE_DUE = _LOCK_DUE.replace(_CLAIMABLE, f"{_CLAIMABLE} AND token IS NULL")
_PUT_OFF = "UPDATE lane SET due_at = $2 WHERE id = ANY ($1::bigint[])"
# From one name to the next, by the index: there are few names, and many lanes.
_WAITED_FOR = """
WITH RECURSIVE waited (name) AS (
  SELECT min(waits_for) FROM lane WHERE waits_for IS NOT NULL
  UNION ALL
  SELECT (SELECT min(waits_for) FROM lane WHERE waits_for > name) FROM waited WHERE name IS NOT NULL
)
SELECT name, coalesce(trips, 0) > 0 FROM waited LEFT JOIN gate ON gate.key = name
WHERE name IS NOT NULL AND coalesce(open_at, 0) <= $1
  AND NOT (starts_with(name, 'hook:')
    AND EXISTS (SELECT 1 FROM hook WHERE hook.id = substr(name, 6) AND hook.state = 'paused'))
"""
_LOCK_WAITING = f"""
SELECT waiting.* FROM unnest($1::text[], $2::bigint[]) AS w (name, count) CROSS JOIN LATERAL (
  SELECT {LANE} FROM lane WHERE waits_for = w.name AND due_at <= $3
  ORDER BY due_at LIMIT w.count FOR NO KEY UPDATE SKIP LOCKED
) AS waiting
"""
_LOAD_BY_ID = f"SELECT {DELIVERY}, lane_id FROM delivery WHERE id = ANY ($1::text[])"
_LOAD_WAITING = f"""
SELECT d.* FROM unnest($2::bigint[]) AS l (id) CROSS JOIN LATERAL (
  SELECT {DELIVERY}, lane_id FROM delivery WHERE lane_id = l.id AND {_WAITING} ORDER BY seq LIMIT $5
) AS d
"""
_LOAD_DOUBTED = f"""
SELECT d.* FROM unnest($3::bigint[], $4::bigint[]) AS l (id, since) CROSS JOIN LATERAL (
  SELECT {DELIVERY}, lane_id FROM delivery WHERE lane_id = l.id AND doubt_until > l.since AND doubt_until > 0
  OFFSET 0 -- lane by lane, not all that are in doubt at once
) AS d
"""
_LOAD_DELIVERIES = f"{_LOAD_BY_ID} UNION ALL {_LOAD_WAITING} UNION ALL {_LOAD_DOUBTED}"
_LOAD_BESIDES = f"""
SELECT d.* FROM unnest($1::bigint[]) AS l (id) CROSS JOIN LATERAL (
  SELECT {DELIVERY}, lane_id FROM delivery WHERE lane_id = l.id AND {_WAITING} AND NOT EXISTS
    (SELECT 1 FROM hook WHERE hook.id = delivery.hook_id
      AND (hook.state = 'paused' OR delivery.accepted_at <= hook.off_at))
  ORDER BY seq LIMIT 1
) AS d
"""
_LOAD_HOOKS = "SELECT id, off_at, state, failing_since FROM hook WHERE id = ANY ($1::text[])"
_LOCK_GATES = f"SELECT {GATE} FROM gate WHERE key = ANY ($1::text[]) ORDER BY key FOR NO KEY UPDATE"
_MAKE_AND_LOCK_GATES = f"""
WITH made AS (
  INSERT INTO gate (key, open_at, failures, trips, passed, updated_at)
  SELECT key, 0, 0, 0, '', 0 FROM unnest($2::text[]) AS k (key)
  ON CONFLICT (key) DO NOTHING RETURNING {GATE}
), found AS (
  {_LOCK_GATES}
)
SELECT * FROM made UNION ALL SELECT * FROM found
"""
_LOAD_CAPTURES = "SELECT lane_id, action_seq, name, value FROM capture WHERE lane_id = ANY ($1::bigint[])"
_LOAD_REQUESTS = "SELECT id, document FROM request WHERE id = ANY ($1::text[])"


async def look(connection: asyncpg.Connection, step: steps.Look) -> steps.Known:
    rows = await connection.fetch(_LOOK, list(step.events), list(step.tokens), list(step.deliveries))
    return steps.Known(
        events={row[1]: (row[2], row[3]) for row in rows if row[0] == 1},
        attempts={
            row[4]: steps.AttemptFacts(
                delivery_id=row[1], lane_id=row[5], started_at=row[6], closed_by=row[2], outcome=row[3]
            )
            for row in rows
            if row[0] == 2
        },
        deliveries={row[1]: (row[4], row[2]) for row in rows if row[0] == 3},
    )


async def load_originals(
    connection: asyncpg.Connection, step: steps.LoadOriginals
) -> dict[str, steps.Original]:
    rows = await connection.fetch(_LOAD_ORIGINALS, list(step.ids))
    return {row[0]: columns.original_from(row) for row in rows}


async def lock_actions(
    connection: asyncpg.Connection, step: steps.LockActions
) -> dict[ActionKey, steps.ActionFacts]:
    pipelines, actions = zip(*step.keys, strict=True)
    rows = await connection.fetch(_LOCK_ACTIONS, pipelines, actions)
    return {(row[0], row[1]): steps.ActionFacts(row[2], row[3], row[4], row[5]) for row in rows}


async def write_actions(connection: asyncpg.Connection, step: steps.WriteActions) -> dict[ActionKey, int]:
    if step.moved:
        await connection.execute(_MOVE_ACTIONS, _MOVED_ACTIONS.json(step.moved))
    if not step.new:
        return {}
    rows = await connection.fetch(_INSERT_ACTIONS, _NEW_ACTIONS.json(step.new))
    if len(rows) < len(step.new):
        raise StoreRaced("another transaction has heard of an action first")
    return {(row[0], row[1]): row[2] for row in rows}


async def lock_lanes(connection: asyncpg.Connection, step: steps.LockLanes) -> steps.Lanes:
    """None is new: what another transaction may make at the same moment has to be made before it can be locked."""
    ids = list(step.ids)
    if not step.keys:
        return steps.Lanes(_lanes(await connection.fetch(_LOCK_LANES, ids)))
    keys = sorted(step.keys)
    new = _NEW_LANES.json([(key, step.keys[key], commit_of(key)) for key in keys])
    rows = await connection.fetch(_MAKE_AND_LOCK_LANES, new, keys, ids)
    return steps.Lanes(_lanes(_complete(rows, set(keys), 1)))


async def lock_due(connection: asyncpg.Connection, step: steps.LockDue) -> list[Lane]:
    query = _LOCK_FREE_DUE if step.free_only else _LOCK_DUE
    return _lanes(await connection.fetch(query, step.now, step.limit))


async def put_off(connection: asyncpg.Connection, step: steps.PutOff) -> None:
    await connection.execute(_PUT_OFF, step.ids, step.due_at)


async def waited_for(connection: asyncpg.Connection, step: steps.WaitedFor) -> dict[str, bool]:
    return {row[0]: row[1] for row in await connection.fetch(_WAITED_FOR, step.now)}


async def lock_waiting(connection: asyncpg.Connection, step: steps.LockWaiting) -> list[Lane]:
    limits = step.limits
    return _lanes(await connection.fetch(_LOCK_WAITING, list(limits), list(limits.values()), step.now))


async def load_deliveries(
    connection: asyncpg.Connection, step: steps.LoadDeliveries
) -> list[tuple[int, Delivery]]:
    ids, doubted = list(step.ids), step.doubted_in
    if not (step.waiting_in or doubted):
        return _deliveries(await connection.fetch(_LOAD_BY_ID, ids))
    lanes, since = list(doubted), list(doubted.values())
    rows = await connection.fetch(_LOAD_DELIVERIES, ids, list(step.waiting_in), lanes, since, step.first)
    return _deliveries(rows)


async def load_waiting_besides(
    connection: asyncpg.Connection, step: steps.LoadWaitingBesides
) -> list[tuple[int, Delivery]]:
    return _deliveries(await connection.fetch(_LOAD_BESIDES, list(step.lanes)))


async def load_hooks(connection: asyncpg.Connection, step: steps.LoadHooks) -> dict[str, HookFacts]:
    return {
        row[0]: HookFacts(off_at=row[1], paused=row[2] == HookState.PAUSED, failing_since=row[3])
        for row in await connection.fetch(_LOAD_HOOKS, list(step.ids))
    }


async def lock_gates(connection: asyncpg.Connection, step: steps.LockGates) -> dict[str, Gate]:
    keys, made = list(step.keys), sorted(step.made)
    if made:
        rows = _complete(await connection.fetch(_MAKE_AND_LOCK_GATES, keys, made), set(made), 0)
    else:
        rows = await connection.fetch(_LOCK_GATES, keys)
    return {row[0]: columns.gate_from(row) for row in rows}


async def load_captures(
    connection: asyncpg.Connection, step: steps.LoadCaptures
) -> list[tuple[int, int, str, str]]:
    return [tuple(row) for row in await connection.fetch(_LOAD_CAPTURES, list(step.lanes))]


async def load_requests(
    connection: asyncpg.Connection, step: steps.LoadRequests
) -> dict[str, RenderedRequest]:
    rows = await connection.fetch(_LOAD_REQUESTS, list(step.ids))
    return {row[0]: RenderedRequest.from_json(row[1]) for row in rows}


def _complete(rows: Rows, keys: set[str], place: int) -> Rows:
    """What another transaction makes at the same moment is there for neither half of such a query: only for
    the next one."""
    if not keys <= {row[place] for row in rows}:
        raise StoreRaced("another transaction has made a row first")
    return rows


def _lanes(rows: Rows) -> list[Lane]:
    return [columns.lane_from(row) for row in rows]


def _deliveries(rows: Rows) -> list[tuple[int, Delivery]]:
    return [(row[-1], columns.delivery_from(row)) for row in rows]


STEPS: Mapping[type, Callable[[asyncpg.Connection, Any], Awaitable[Any]]] = {
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
