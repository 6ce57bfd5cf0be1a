"""What admins defined: pipelines, hooks with their revisions, incoming hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hookengine.domain.clock import Millis
from hookengine.domain.documents import (
    hook_from_json,
    incoming_from_json,
    incoming_to_json,
    pipeline_from_json,
    pipeline_to_json,
)
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline, new_pipeline
from hookengine.errors import ConfigError, Problem
from hookengine.store.cold import hooks, secrets
from hookengine.store.cold.changes import count_up, lock
from hookengine.store.cold.tables import DEFINITIONS, HOOK, HOOK_REVISION, INCOMING_HOOK, PIPELINE
from hookengine.store.contract import Definitions


def apply(connection: Connection, definitions: Definitions, managed_by: str, now: Millis) -> Definitions:
    """Pipelines that lost their definition stay, for the sake of their actions; hooks are deleted.

    The version counts up only if something changed: nodes that start with the same file leave each other alone.
    """
    lock(connection)
    changed = (
        _apply_pipelines(connection, definitions.pipelines, managed_by),
        hooks.apply(connection, definitions.hooks, managed_by, now),
        _apply_incoming(connection, definitions.incoming_hooks, managed_by),
    )
    if any(changed):
        count_up(connection)
    return _read(connection)


def create_pipeline(connection: Connection, reference: int | str) -> Definitions:
    """Two nodes that hear of new ones at the same time give them ids one after the other."""
    lock(connection)
    known = {row.id: row.name for row in connection.execute(select(PIPELINE.c.id, PIPELINE.c.name))}
    if reference not in known and reference not in known.values():
        _apply_pipelines(connection, [new_pipeline(reference, known)], "events")
        count_up(connection)
    return _read(connection)


def switch(connection: Connection, hook_id: str, state: HookState, because: str, now: Millis) -> None:
    """Raises NotFound."""
    lock(connection)
    if hooks.switch(connection, hook_id, state, because, now):
        count_up(connection)


def definitions(connection: Connection, known: int) -> tuple[int, Definitions | None]:
    """Read without a lock, and once more if it changed meanwhile: all of it is of one moment."""
    version = _version(connection)
    while version != known:
        read_at, found = version, _read(connection)
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


def _read(connection: Connection) -> Definitions:
    running = (
        select(HOOK.c.id, HOOK.c.revision, HOOK.c.state, HOOK_REVISION.c.document)
        .join(
            HOOK_REVISION,
            (HOOK_REVISION.c.hook_id == HOOK.c.id) & (HOOK_REVISION.c.revision == HOOK.c.revision),
        )
        .where(~HOOK.c.deleted)
    )
    pipelines = connection.execute(select(PIPELINE.c.id, PIPELINE.c.document))
    incoming = connection.execute(select(INCOMING_HOOK.c.id, INCOMING_HOOK.c.document))
    return Definitions(  # sorted here: databases differ in how they sort texts
        pipelines=tuple(
            pipeline_from_json(document) for _, document in sorted(tuple(row) for row in pipelines)
        ),
        hooks=tuple(
            hook_from_json(document, hook_id=hook_id, revision=revision, state=HookState(state))
            for hook_id, revision, state, document in sorted(
                tuple(row) for row in connection.execute(running)
            )
        ),
        incoming_hooks=tuple(
            incoming_from_json(document) for _, document in sorted(tuple(row) for row in incoming)
        ),
        secrets=secrets.listed(connection),
    )


def _apply_pipelines(connection: Connection, pipelines: Sequence[Pipeline], managed_by: str) -> bool:
    """Whether anything changed."""
    known = {
        row.id: row for row in connection.execute(select(PIPELINE.c.id, PIPELINE.c.name, PIPELINE.c.document))
    }
    _check_names(pipelines, {row.id: row.name for row in known.values()})
    wanted = {pipeline.id: _values(pipeline) for pipeline in pipelines}
    new = [values for key, values in wanted.items() if key not in known]
    changed = [
        values for key, values in wanted.items() if key in known and known[key].document != values["document"]
    ]
    unnamed = uuid4().hex
    _update_pipelines(  # so that two may swap their names
        connection, [{"key": values["key"], "name": f"?{values['key']} {unnamed}"} for values in changed]
    )
    _update_pipelines(connection, changed)
    if new:
        connection.execute(
            insert(PIPELINE).values(id=bindparam("key")),
            [{**values, "managed_by": managed_by} for values in new],
        )
    return bool(new or changed)


def _values(pipeline: Pipeline) -> dict[str, Any]:
    return {"key": pipeline.id, "name": pipeline.name, "document": pipeline_to_json(pipeline)}


def _update_pipelines(connection: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    if changes:
        connection.execute(update(PIPELINE).where(PIPELINE.c.id == bindparam("key")), changes)


def _check_names(pipelines: Sequence[Pipeline], known: Mapping[int, str]) -> None:
    wanted = {pipeline.id for pipeline in pipelines}
    owners = {name: pipeline_id for pipeline_id, name in known.items() if pipeline_id not in wanted}
    for pipeline in pipelines:
        owner = owners.setdefault(pipeline.name, pipeline.id)
        if owner != pipeline.id:
            message = f"pipeline {owner} has the name {pipeline.name!r} already; give pipeline {pipeline.id} another"
            raise ConfigError([Problem(message=message)])


def _apply_incoming(connection: Connection, incoming: Sequence[IncomingHook], managed_by: str) -> bool:
    """Whether anything changed."""
    table = INCOMING_HOOK
    known = {
        row.id: (row.document, row.managed_by)
        for row in connection.execute(select(table.c.id, table.c.document, table.c.managed_by))
    }
    wanted = {hook.id: (incoming_to_json(hook), managed_by) for hook in incoming}
    gone = {key for key, (_, manager) in known.items() if manager == managed_by and key not in wanted}
    written = {key: values for key, values in wanted.items() if known.get(key) != values}
    outdated = gone | (written.keys() & known.keys())
    if outdated:
        connection.execute(delete(table).where(table.c.id.in_(outdated)))
    if written:
        connection.execute(
            insert(table),
            [
                {"id": key, "document": document, "managed_by": manager}
                for key, (document, manager) in written.items()
            ],
        )
    return bool(outdated or written)
