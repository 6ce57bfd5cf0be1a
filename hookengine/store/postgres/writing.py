"""What a transaction writes, in PostgreSQL's words: one statement made of what there is to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import asyncpg

from hookengine.errors import StoreRaced
from hookengine.store.books import columns
from hookengine.store.books.columns import DELIVERY, DELIVERY_CHANGES, GATE, LANE_CHANGES
from hookengine.store.books.steps import HookChange, Write
from hookengine.store.postgres.parts import INT, Part, Rows


def _insert(table: str, columns: str, then: str = "") -> Part:
    return Part.of(f"INSERT INTO {table} ({columns}) SELECT v.* FROM {{rows}} {then}", columns)


def _update(table: str, changes: Sequence[str], key: str, also: str = "", **types: str) -> Part:
    changed = ", ".join(f"{name} = v.{name}" for name in changes)
    text = f"UPDATE {table} t SET {changed} FROM {{rows}} WHERE t.{key} = v.{key} {also}"
    return Part.of(text, ", ".join((*changes, key)), **types)


_EVENTS = _insert(
    "event", "id, type, action_seq, revision, digest, document, answer, accepted_at, occurred_at"
)
_REQUESTS = _insert("request", "id, document")
_DELIVERIES = _insert("delivery", f"{DELIVERY}, lane_id")
_SECRETS = _insert(
    "context_secret",
    "pipeline_id, path, sealed, updated_at",
    "ON CONFLICT (pipeline_id, path) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at",
)
_CHANGED = _update("delivery", DELIVERY_CHANGES, "id")
_LANES = _update("lane", LANE_CHANGES, "id", id=INT)
_CLOSED = _update(
    "attempt",
    ("outcome", "detail", "certainty", "verdict", "because", "next_at", "finished_at", "closed_by"),
    "token",
    "AND t.finished_at IS NULL",
)
_OPENED = _insert("attempt", "delivery_id, number, token, node, started_at")
_GATES = _insert(
    "gate",
    f"{GATE}, updated_at",
    "ON CONFLICT (key) DO UPDATE SET open_at = excluded.open_at, failures = excluded.failures,"
    " trips = excluded.trips, probed_at = excluded.probed_at, recovering_since = excluded.recovering_since,"
    " passed = excluded.passed, updated_at = excluded.updated_at",
)
_CAPTURES = _insert(
    "capture",
    "lane_id, action_seq, name, value",
    "ON CONFLICT (lane_id, action_seq, name) DO UPDATE SET value = excluded.value",
)
_LATE = _update("attempt", ("late_outcome", "late_at"), "token")

_MADE_BY_EVENTS = {"event", "delivery"}  # of which another transaction may be first
_TAKE_BACK = "DELETE FROM attempt WHERE token = ANY ($1::bigint[]) AND finished_at IS NULL"
_COUNT_CHANGES = "UPDATE definitions SET version = version + 1"
_KEEP_FAILING = "UPDATE hook SET failing_since = $2 WHERE id = $1"
_SWITCH_HOOK = """
UPDATE hook SET state = $2, because = $3, off_at = coalesce($4::bigint, off_at)
WHERE id = $1 AND (state = 'active' OR $2 = 'disabled')
"""


async def write(connection: asyncpg.Connection, step: Write) -> None:
    """Attempts that are taken back go first: another of the same number may come. A late result comes after
    what closed its attempt: a statement changes a row once."""
    try:
        if step.taken_back:
            await connection.execute(_TAKE_BACK, step.taken_back)
        await _together(connection, [(part, rows) for part, rows in _parts(step) if rows])
        if step.late:
            await _together(connection, [(_LATE, step.late)])
        if step.hooks:
            await _change_hooks(connection, step.hooks)
    except asyncpg.UniqueViolationError as error:
        if error.table_name not in _MADE_BY_EVENTS:
            raise
        raise StoreRaced(f"{error.table_name} is there already: {error.constraint_name}") from error


def _parts(step: Write) -> Iterator[tuple[Part, Rows]]:
    """Rows that nothing before has locked are in the order of their keys: two transactions never wait for
    each other."""
    secrets = {(row.pipeline_id, row.path): row for row in step.secrets}
    yield _EVENTS, step.events if len(step.events) < 2 else sorted(step.events)
    yield _REQUESTS, step.requests
    yield _DELIVERIES, [columns.delivery_values(row, lane) for lane, row in step.new_deliveries.values()]
    yield _CHANGED, [columns.delivery_changes(row) for row in step.changed_deliveries.values()]
    yield _LANES, step.lanes
    yield _CLOSED, step.closed
    yield _OPENED, step.opened
    yield _SECRETS, [secrets[key] for key in sorted(secrets)]
    yield _CAPTURES, [(*key, value) for key, value in step.captures.items()]
    yield _GATES, [columns.gate_values(step.gates[key], step.now) for key in sorted(step.gates)]


async def _together(connection: asyncpg.Connection, parts: Sequence[tuple[Part, Rows]]) -> None:
    if parts:
        values = [part.json(rows) for part, rows in parts]
        await connection.execute(_statement(tuple(part for part, _ in parts)), *values)


@cache
def _statement(parts: tuple[Part, ...]) -> str:
    """One for each combination of what there is to write, which are few."""
    texts = [part.numbered(place) for place, part in enumerate(parts, 1)]
    before = ", ".join(f"w{place} AS ({text})" for place, text in enumerate(texts[:-1]))
    return f"WITH {before} {texts[-1]}" if before else texts[-1]


async def _change_hooks(connection: asyncpg.Connection, changes: Sequence[HookChange]) -> None:
    """Last of all, and `definitions` first, as whoever changes hooks does. Changes of one hook stay in order."""
    by_hook = sorted(changes, key=lambda change: change.id)
    switched = [
        (change.id, change.state, change.because, change.off_at) for change in by_hook if change.state
    ]
    if switched:
        await connection.execute(_COUNT_CHANGES)
    await connection.executemany(_KEEP_FAILING, [(change.id, change.failing_since) for change in by_hook])
    if switched:
        await connection.executemany(_SWITCH_HOOK, switched)
