"""What admins defined: pipelines, hooks with their revisions, incoming hooks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, or_, select

from hookengine.domain.clock import Millis
from hookengine.domain.definition import EVENTS, Kind
from hookengine.domain.documents import hook_from_json, incoming_from_json, pipeline_from_json
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import new_pipeline
from hookengine.domain.secret import of_pipeline
from hookengine.errors import DefinitionsMoved
from hookengine.store.care import Definitions
from hookengine.store.cold import hooks, incoming, pipelines, secrets, tokens
from hookengine.store.cold.changes import count_up, lock
from hookengine.store.cold.tables import (
    ACTION,
    CONTEXT_SECRET,
    DEFINITIONS,
    HOOK,
    HOOK_REVISION,
    INCOMING_HOOK,
    PIPELINE,
)
from hookengine.store.standing import Changes, Identity, Standing


def standing(connection: Connection) -> Standing:
    """Read without a lock, and once more if it changed meanwhile: all of it is of one moment."""
    version = _version(connection)
    while True:
        found = Standing(
            version=version,
            definitions=read(connection),
            managed_by=_managers(connection),
            because=hooks.reasons(connection),
            in_use=_in_use(connection),
        )
        version = _version(connection)
        if version == found.version:
            return found


def apply(connection: Connection, changes: Changes, now: Millis) -> None:
    """The version counts up only if something changes: nodes that start with the same file leave each other alone.

    Raises DefinitionsMoved.
    """
    lock(connection)
    if _version(connection) != changes.version:
        raise DefinitionsMoved("what is defined has changed meanwhile")
    if not changes:
        return
    gone: dict[Kind, list[Any]] = {kind: [key for of, key in changes.gone if of is kind] for kind in Kind}
    for pipeline_id in gone[Kind.PIPELINE]:
        pipelines.remove(connection, pipeline_id)
    pipelines.write(connection, changes.written.pipelines, changes.managed_by, now)
    hooks.write(connection, changes, gone[Kind.HOOK], now)
    incoming.remove(connection, gone[Kind.INCOMING_HOOK])
    incoming.write(connection, changes.written.incoming_hooks, changes.managed_by, now)
    count_up(connection)


def create_pipeline(connection: Connection, reference: int | str) -> Definitions:
    """Two nodes that hear of new ones at the same time give them ids one after the other."""
    lock(connection)
    known = {row.id: row.name for row in connection.execute(select(PIPELINE.c.id, PIPELINE.c.name))}
    if reference not in known and reference not in known.values():
        made = new_pipeline(reference, known)
        pipelines.write(connection, [made], {(Kind.PIPELINE, made.id): EVENTS})
        count_up(connection)
    return read(connection)


def switch(connection: Connection, hook_id: str, state: HookState, because: str, now: Millis) -> None:
    """Raises NotFound."""
    lock(connection)
    if hooks.switch(connection, hook_id, state, because, now):
        count_up(connection)


def definitions(connection: Connection, known: int) -> tuple[int, Definitions | None]:
    """Read without a lock, and once more if it changed meanwhile: all of it is of one moment."""
    version = _version(connection)
    while version != known:
        read_at, found = version, read(connection)
        version = _version(connection)
        if version == read_at:
            return version, found
    return version, None


def hook_revision(connection: Connection, hook_id: str, revision: int) -> Hook | None:
    document = connection.scalar(
        select(HOOK_REVISION.c.document).where(
            HOOK_REVISION.c.hook_id == hook_id, HOOK_REVISION.c.revision == revision
        )
    )
    if document is None:
        return None
    return hook_from_json(document, hook_id=hook_id, revision=revision, state=HookState.ACTIVE)


def _version(connection: Connection) -> int:
    return int(connection.execute(select(DEFINITIONS.c.version)).scalar_one())


def read(connection: Connection) -> Definitions:
    document = (  # no join: planned for empty tables, that reads all revisions for each hook
        select(HOOK_REVISION.c.document)
        .where(HOOK_REVISION.c.hook_id == HOOK.c.id, HOOK_REVISION.c.revision == HOOK.c.revision)
        .scalar_subquery()
    )
    running = select(HOOK.c.id, HOOK.c.revision, HOOK.c.state, document).where(~HOOK.c.deleted)
    of_pipelines = connection.execute(select(PIPELINE.c.id, PIPELINE.c.document))
    of_incoming = connection.execute(select(INCOMING_HOOK.c.id, INCOMING_HOOK.c.document))
    return Definitions(  # sorted here: databases differ in how they sort texts
        pipelines=tuple(
            pipeline_from_json(document) for _, document in sorted(tuple(row) for row in of_pipelines)
        ),
        hooks=tuple(
            hook_from_json(document, hook_id=hook_id, revision=revision, state=HookState(state))
            for hook_id, revision, state, document in sorted(
                tuple(row) for row in connection.execute(running)
            )
        ),
        incoming_hooks=tuple(
            incoming_from_json(document) for _, document in sorted(tuple(row) for row in of_incoming)
        ),
        secrets=secrets.listed(connection),
        tokens=tokens.listed(connection),
    )


def _managers(connection: Connection) -> dict[Identity, str]:
    found: dict[Identity, str] = {}
    for kind, table in ((Kind.PIPELINE, PIPELINE), (Kind.HOOK, HOOK), (Kind.INCOMING_HOOK, INCOMING_HOOK)):
        for key, managed_by in connection.execute(select(table.c.id, table.c.managed_by)):
            found[kind, key] = managed_by
    return found


def _in_use(connection: Connection) -> frozenset[int]:
    """Pipelines that something hangs on which is not defined by anybody."""
    used = or_(
        exists().where(ACTION.c.pipeline_id == PIPELINE.c.id),
        exists().where(CONTEXT_SECRET.c.pipeline_id == PIPELINE.c.id),
    )
    owners = {secret.owner for secret in secrets.listed(connection)}
    owners |= {of_pipeline(token.pipeline_id or 0) for token in tokens.listed(connection)}
    known = {row.id: row.used for row in connection.execute(select(PIPELINE.c.id, used.label("used")))}
    return frozenset(key for key, is_used in known.items() if is_used or of_pipeline(key) in owners)
