"""Pipelines, hooks and incoming hooks one by one, as the API changes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from hookengine.domain.clock import Millis
from hookengine.domain.definition import Change, Kind, Note
from hookengine.domain.documents import incoming_to_json, pipeline_to_json
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.secret import of_pipeline
from hookengine.store.cold import hooks, incoming, pipelines, secrets
from hookengine.store.cold.changes import check_manager, count_up, is_open, lock
from hookengine.store.cold.definitions import read


def define(connection: Connection, change: Change, now: Millis) -> None:
    """Raises Outdated, ManagedElsewhere, and ConfigError for a pipeline's name that another one has."""
    lock(connection)
    match change.before, change.after:
        case (Pipeline() | None) as before, Pipeline() as after:
            pipelines.define(connection, before, after, change.force, now)
        case (Hook() | None) as before, Hook() as after:
            hooks.define(connection, before, after, change.force, now)
        case (IncomingHook() | None) as before, IncomingHook() as after:
            incoming.define(connection, before, after, change.force, now)
        case Pipeline() as before, None:
            _remove_pipeline(connection, before, now, force=change.force)
        case Hook() as before, None:
            hooks.define(connection, before, None, change.force, now)
        case IncomingHook() as before, None:
            _remove_incoming(connection, before, force=change.force)
    for secret in change.dropped:
        secrets.forget(connection, secret.owner, secret.name)
    if change.secret is not None:
        secrets.put(connection, *change.secret)
    count_up(connection)


def notes(connection: Connection, kind: Kind, ids: Collection[int | str]) -> Mapping[int | str, Note]:
    match kind:
        case Kind.PIPELINE:
            return pipelines.notes(connection, ids)
        case Kind.HOOK:
            return hooks.notes(connection, ids)
        case Kind.INCOMING_HOOK:
            return incoming.notes(connection, ids)


def _remove_incoming(connection: Connection, before: IncomingHook, *, force: bool) -> None:
    known, document = incoming.manager(connection, before), incoming_to_json(before)
    if is_open(Kind.INCOMING_HOOK, before.id, known=known, before=document, after=None, force=force):
        incoming.remove(connection, [before.id])


def _remove_pipeline(connection: Connection, before: Pipeline, now: Millis, *, force: bool) -> None:
    """With its hooks and incoming hooks, none of which may be managed elsewhere either."""
    known, document = pipelines.manager(connection, before), pipeline_to_json(before)
    if not is_open(Kind.PIPELINE, before.id, known=known, before=document, after=None, force=force):
        return
    defined = read(connection)
    for hook in defined.hooks:
        if hook.pipeline_id == before.id:
            hooks.define(connection, hook, None, force, now)
    own = [hook.id for hook in defined.incoming_hooks if hook.pipeline_id == before.id]
    for hook_id, note in incoming.notes(connection, own).items():
        check_manager(Kind.INCOMING_HOOK, hook_id, note.managed_by, force=force)
    incoming.remove(connection, own)
    secrets.take_from(connection, [of_pipeline(before.id)])
    pipelines.remove(connection, before.id)
