"""What admins defined: pipelines, hooks with their revisions, incoming hooks."""

from __future__ import annotations

import sqlite3

from hookengine.domain.clock import Millis
from hookengine.domain.documents import (
    digest,
    hook_from_json,
    hook_to_json,
    incoming_from_json,
    incoming_to_json,
    pipeline_from_json,
    pipeline_to_json,
)
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import Pipeline
from hookengine.errors import ConfigError, NotFound, Problem
from hookengine.store.contract import Definitions


def apply(
    connection: sqlite3.Connection, definitions: Definitions, managed_by: str, now: Millis
) -> Definitions:
    """Pipelines that lost their definition stay, for the sake of their actions; hooks are deleted."""
    connection.executemany(  # so that two may swap their names
        "UPDATE pipeline SET name = '?' || random() WHERE id = ? AND name <> ?",
        [(pipeline.id, pipeline.name) for pipeline in definitions.pipelines],
    )
    for pipeline in definitions.pipelines:
        _check_name(connection, pipeline)
        connection.execute(
            "INSERT INTO pipeline (id, name, document, managed_by) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document",
            (pipeline.id, pipeline.name, pipeline_to_json(pipeline), managed_by),
        )
    for hook in definitions.hooks:
        _apply_hook(connection, hook, managed_by, now)
    _delete_others(connection, {hook.id for hook in definitions.hooks}, managed_by, now)
    connection.execute("DELETE FROM incoming_hook WHERE managed_by = ?", (managed_by,))
    connection.executemany(
        "INSERT INTO incoming_hook (id, document, managed_by) VALUES (?, ?, ?)",
        [(hook.id, incoming_to_json(hook), managed_by) for hook in definitions.incoming_hooks],
    )
    connection.execute("UPDATE definitions SET version = version + 1")
    return read(connection)


def definitions(connection: sqlite3.Connection, known: int) -> tuple[int, Definitions | None]:
    connection.execute("BEGIN")  # both of one moment
    try:
        (version,) = connection.execute("SELECT version FROM definitions").fetchone()
        return version, None if version == known else read(connection)
    finally:
        connection.execute("COMMIT")


def switch(connection: sqlite3.Connection, hook_id: str, state: HookState, because: str, now: Millis) -> None:
    changed = connection.execute(
        "UPDATE hook SET state = :state, because = :because, failing_since = -1,"
        " off_at = CASE WHEN :state = 'disabled' AND state <> 'disabled' THEN :now ELSE off_at END"
        " WHERE id = :id AND NOT deleted",
        {"state": state, "because": because, "now": now, "id": hook_id},
    )
    if changed.rowcount == 0:
        raise NotFound("hook", hook_id)
    connection.execute("UPDATE definitions SET version = version + 1")


def read(connection: sqlite3.Connection) -> Definitions:
    hooks = connection.execute(
        "SELECT h.id, h.revision, h.state, r.document FROM hook h"
        " JOIN hook_revision r ON r.hook_id = h.id AND r.revision = h.revision WHERE NOT h.deleted ORDER BY h.id"
    )
    return Definitions(
        pipelines=tuple(
            pipeline_from_json(document)
            for (document,) in connection.execute("SELECT document FROM pipeline ORDER BY id")
        ),
        hooks=tuple(
            hook_from_json(document, hook_id=hook_id, revision=revision, state=HookState(state))
            for hook_id, revision, state, document in hooks
        ),
        incoming_hooks=tuple(
            incoming_from_json(document)
            for (document,) in connection.execute("SELECT document FROM incoming_hook ORDER BY id")
        ),
    )


def hook_revision(connection: sqlite3.Connection, hook_id: str, revision: int) -> Hook | None:
    row = connection.execute(
        "SELECT document FROM hook_revision WHERE hook_id = ? AND revision = ?", (hook_id, revision)
    ).fetchone()
    if row is None:
        return None
    return hook_from_json(row[0], hook_id=hook_id, revision=revision, state=HookState.ACTIVE)


def _check_name(connection: sqlite3.Connection, pipeline: Pipeline) -> None:
    owner = connection.execute(
        "SELECT id FROM pipeline WHERE name = ? AND id <> ?", (pipeline.name, pipeline.id)
    ).fetchone()
    if owner is not None:
        message = (
            f"pipeline {owner[0]} has the name {pipeline.name!r} already; give pipeline {pipeline.id} another"
        )
        raise ConfigError([Problem(message=message)])


def _apply_hook(connection: sqlite3.Connection, hook: Hook, managed_by: str, now: Millis) -> None:
    document = hook_to_json(hook)
    known = connection.execute(
        "SELECT revision, digest, state, because, deleted, off_at FROM hook WHERE id = ?", (hook.id,)
    ).fetchone()
    if known is None:
        _write_revision(connection, hook.id, 1, document, now)
        connection.execute(
            "INSERT INTO hook (id, revision, digest, state, because, deleted, off_at, managed_by)"
            " VALUES (?, 1, ?, ?, '', FALSE, -1, ?)",
            (hook.id, digest(document), hook.state, managed_by),
        )
        return
    revision, known_digest, known_state, because, deleted, off_at = known
    state, unchanged = known_state, known_digest == digest(document)
    if not unchanged:
        revision += 1
        _write_revision(connection, hook.id, revision, document, now)
    # A hook that its target sent away (410), or that was paused, stays so until its definition changes, or
    # was written disabled.
    kept_back = state != HookState.ACTIVE and because and not deleted
    if not (kept_back and unchanged and hook.state == HookState.ACTIVE):
        state, because = hook.state, ""
    if state != HookState.DISABLED:
        off_at = min(off_at, now)  # a wall clock that was ahead then must not cancel what is new
    elif known_state != HookState.DISABLED:
        off_at = now
    connection.execute(
        "UPDATE hook SET revision = ?, digest = ?, state = ?, because = ?, deleted = FALSE, managed_by = ?,"
        " off_at = ? WHERE id = ?",
        (revision, digest(document), state, because, managed_by, off_at, hook.id),
    )


def _write_revision(
    connection: sqlite3.Connection, hook_id: str, revision: int, document: str, now: Millis
) -> None:
    connection.execute(
        "INSERT INTO hook_revision (hook_id, revision, document, created_at) VALUES (?, ?, ?, ?)",
        (hook_id, revision, document, now),
    )


def _delete_others(connection: sqlite3.Connection, kept: set[str], managed_by: str, now: Millis) -> None:
    known = connection.execute("SELECT id FROM hook WHERE managed_by = ? AND NOT deleted", (managed_by,))
    connection.executemany(
        "UPDATE hook SET deleted = TRUE, state = 'disabled', off_at = ? WHERE id = ?",
        [(now, hook_id) for (hook_id,) in known.fetchall() if hook_id not in kept],
    )
