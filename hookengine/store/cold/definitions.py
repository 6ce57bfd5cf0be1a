"""What admins defined: pipelines, hooks with their revisions, incoming hooks."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hookengine.domain.clock import Millis
from hookengine.domain.definition import EVENTS
from hookengine.domain.documents import hook_from_json, incoming_from_json, pipeline_from_json
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import new_pipeline
from hookengine.store.cold import hooks, incoming, pipelines, secrets, tokens
from hookengine.store.cold.changes import count_up, lock
from hookengine.store.cold.tables import DEFINITIONS, HOOK, HOOK_REVISION, INCOMING_HOOK, PIPELINE
from hookengine.store.contract import Definitions


def apply(connection: Connection, definitions: Definitions, managed_by: str, now: Millis) -> Definitions:
    """Pipelines that lost their definition stay, for the sake of their actions; hooks are deleted.

    The version counts up only if something changed: nodes that start with the same file leave each other alone.
    """
    lock(connection)
    changed = (
        pipelines.apply(connection, definitions.pipelines, managed_by, now),
        hooks.apply(connection, definitions.hooks, managed_by, now),
        incoming.apply(connection, definitions.incoming_hooks, managed_by, now),
    )
    if any(changed):
        count_up(connection)
    return read(connection)


def create_pipeline(connection: Connection, reference: int | str) -> Definitions:
    """Two nodes that hear of new ones at the same time give them ids one after the other."""
    lock(connection)
    known = {row.id: row.name for row in connection.execute(select(PIPELINE.c.id, PIPELINE.c.name))}
    if reference not in known and reference not in known.values():
        pipelines.apply(connection, [new_pipeline(reference, known)], EVENTS)
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
    running = (
        select(HOOK.c.id, HOOK.c.revision, HOOK.c.state, HOOK_REVISION.c.document)
        .join(
            HOOK_REVISION,
            (HOOK_REVISION.c.hook_id == HOOK.c.id) & (HOOK_REVISION.c.revision == HOOK.c.revision),
        )
        .where(~HOOK.c.deleted)
    )
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
