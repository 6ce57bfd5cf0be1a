"""Hooks as they are defined and switched. The row of `definitions` is locked before; hooks are, by id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from hookengine.domain.clock import Millis
from hookengine.domain.definition import API, Kind, Note
from hookengine.domain.documents import digest, hook_from_json, hook_to_json
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.secret import of_hook
from hookengine.errors import NotFound
from hookengine.store.cold import secrets
from hookengine.store.cold.changes import is_open
from hookengine.store.cold.tables import HOOK, HOOK_REVISION
from hookengine.store.standing import Changes

_AT_ONCE: Final = 5_000


class _Row(NamedTuple):
    id: str
    revision: int
    digest: str
    state: str
    because: str
    deleted: bool
    off_at: Millis
    failing_since: Millis
    managed_by: str


_COLUMNS = tuple(HOOK.c[name] for name in _Row._fields)


def write(connection: Connection, changes: Changes, gone: Collection[str], now: Millis) -> None:
    """In parts: a statement takes some thirty thousand values at most, and a server gives up who is silent for long."""
    hooks, ids = changes.written.hooks, list(gone)
    for start in range(0, max(len(hooks), len(ids)), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        _write_part(connection, hooks[part], ids[part], changes, now)


def _write_part(
    connection: Connection, hooks: Sequence[Hook], gone: Sequence[str], changes: Changes, now: Millis
) -> None:
    wanted = {hook.id: hook for hook in hooks}
    known = _locked(connection, [*wanted, *gone])
    documents = {hook.id: hook_to_json(hook) for hook in hooks}
    rows = [
        _defined(known.get(hook.id), hook, digest(documents[hook.id]), now)._replace(
            managed_by=changes.managed_by[Kind.HOOK, hook.id], because=changes.because.get(hook.id, "")
        )
        for hook in hooks
    ]
    rows += [
        known[hook_id]._replace(deleted=True, state=HookState.DISABLED.value, off_at=now)
        for hook_id in gone
        if hook_id in known and not known[hook_id].deleted
    ]
    new = [row for row in rows if row.id not in known]
    changed = [row for row in rows if row.id in known and row != known[row.id]]
    revised = [row for row in rows if row.id not in known or row.revision != known[row.id].revision]
    _insert_revisions(connection, revised, documents, now)
    if new:
        connection.execute(insert(HOOK), [row._asdict() for row in new])
    _update(connection, changed)
    secrets.take_from(connection, list(map(of_hook, _moved(connection, known, wanted))))


def define(connection: Connection, before: Hook | None, after: Hook | None, force: bool, now: Millis) -> None:
    """Just this one; `after` None: it is deleted. Raises Outdated, also when it was switched meanwhile, and
    ManagedElsewhere."""
    hook = after or before
    assert hook is not None, "a change is of something"  # noqa: S101
    known = _locked(connection, [hook.id]).get(hook.id)
    manager = None if known is None or known.deleted else (_state_of(known), known.managed_by)
    is_to_do = is_open(
        Kind.HOOK,
        hook.id,
        known=manager,
        before=None if before is None else _state_of_hook(before),
        after=None if after is None else _state_of_hook(after),
        force=force,
    )
    if is_to_do:
        _write(connection, known, hook, deleted=after is None, now=now)


def _write(connection: Connection, known: _Row | None, hook: Hook, *, deleted: bool, now: Millis) -> None:
    document = hook_to_json(hook)
    wanted = replace(hook, state=HookState.DISABLED) if deleted else hook
    row = _defined(known, wanted, digest(document), now)._replace(managed_by=API, deleted=deleted)
    if known is not None and known.state == row.state and not known.deleted:
        row = row._replace(because=known.because)
    if known is None or row.revision != known.revision:
        _insert_revisions(connection, [row], {hook.id: document}, now)
    if known is None:
        connection.execute(insert(HOOK), [row._asdict()])
        return
    moved = _moved(connection, {hook.id: known}, {} if deleted else {hook.id: hook})
    _update(connection, [row])
    secrets.take_from(connection, list(map(of_hook, moved)))


def reasons(connection: Connection) -> dict[str, str]:
    """Why hooks are not active, where a reason was given."""
    query = select(HOOK.c.id, HOOK.c.because).where(HOOK.c.because != "", ~HOOK.c.deleted)
    return {row.id: row.because for row in connection.execute(query)}


def _state_of_hook(hook: Hook) -> str:
    return f"{digest(hook_to_json(hook))} {hook.state}"


def _state_of(row: _Row) -> str:
    return f"{row.digest} {row.state}"


def notes(connection: Connection, ids: Collection[int | str]) -> dict[int | str, Note]:
    first = (
        select(HOOK_REVISION.c.hook_id, func.min(HOOK_REVISION.c.created_at).label("created_at"))
        .where(HOOK_REVISION.c.hook_id.in_(list(ids)))
        .group_by(HOOK_REVISION.c.hook_id)
        .subquery()
    )
    rows = connection.execute(
        select(HOOK.c.id, HOOK.c.managed_by, HOOK.c.because, first.c.created_at, HOOK_REVISION.c.created_at)
        .join(first, first.c.hook_id == HOOK.c.id)
        .join(
            HOOK_REVISION,
            (HOOK_REVISION.c.hook_id == HOOK.c.id) & (HOOK_REVISION.c.revision == HOOK.c.revision),
        )
        .where(HOOK.c.id.in_(list(ids)), ~HOOK.c.deleted)
    )
    return {
        row[0]: Note(managed_by=row[1], because=row[2], created_at=row[3], updated_at=row[4]) for row in rows
    }


def revisions(connection: Connection, hook_id: str) -> tuple[tuple[Hook, Millis], ...]:
    """The newest first, each with when it was made."""
    rows = connection.execute(
        select(HOOK_REVISION.c.revision, HOOK_REVISION.c.document, HOOK_REVISION.c.created_at)
        .where(HOOK_REVISION.c.hook_id == hook_id)
        .order_by(HOOK_REVISION.c.revision.desc())
    )
    return tuple(
        (hook_from_json(document, hook_id=hook_id, revision=revision, state=HookState.ACTIVE), created_at)
        for revision, document, created_at in rows
    )


def switch(connection: Connection, hook_id: str, state: HookState, because: str, now: Millis) -> bool:
    """Whether it had another state. Raises NotFound."""
    known = _locked(connection, [hook_id]).get(hook_id)
    if known is None or known.deleted:
        raise NotFound("hook", hook_id)
    switched = known._replace(
        state=state.value, because=because, off_at=_off_at(known, state, now), failing_since=-1
    )
    _update(connection, [switched])
    return switched.state != known.state


def _locked(connection: Connection, ids: Collection[str]) -> dict[str, _Row]:
    query = select(*_COLUMNS).where(HOOK.c.id.in_(list(ids))).order_by(HOOK.c.id)
    rows = (_Row(*row) for row in connection.execute(query.with_for_update(key_share=True)))
    return {row.id: row for row in rows}


def _defined(known: _Row | None, hook: Hook, of_document: str, now: Millis) -> _Row:
    """What becomes of a hook that is defined like this, for no reason and by nobody yet."""
    if known is None:
        return _Row(hook.id, 1, of_document, hook.state.value, "", False, -1, -1, "")
    unchanged = known.digest == of_document
    as_before = unchanged and hook.state == known.state
    return known._replace(
        revision=known.revision if unchanged else known.revision + 1,
        digest=of_document,
        state=hook.state.value,
        because="",
        deleted=False,
        off_at=_off_at(known, hook.state, now),
        failing_since=known.failing_since if as_before else -1,
    )


def _off_at(known: _Row, state: HookState, now: Millis) -> Millis:
    """Until when what it owes is cancelled, once it has this state."""
    if state != HookState.DISABLED:
        return min(known.off_at, now)  # a wall clock that was ahead then must not cancel what is new
    return known.off_at if known.state == HookState.DISABLED else now


def _moved(connection: Connection, known: Mapping[str, _Row], wanted: Mapping[str, Hook]) -> set[str]:
    """Those with secrets of their own that are deleted, or go to another host from now on."""
    return {
        hook_id
        for hook_id in secrets.hooks_with_own(connection, known)
        if hook_id not in wanted or _target(connection, known[hook_id]) != wanted[hook_id].target
    }


def _target(connection: Connection, row: _Row) -> str:
    """Where the hook went so far."""
    document = connection.execute(
        select(HOOK_REVISION.c.document).where(
            HOOK_REVISION.c.hook_id == row.id, HOOK_REVISION.c.revision == row.revision
        )
    ).scalar_one()
    return hook_from_json(document, hook_id=row.id, revision=row.revision, state=HookState(row.state)).target


def _update(connection: Connection, rows: Sequence[_Row]) -> None:
    if rows:
        connection.execute(
            update(HOOK).where(HOOK.c.id == bindparam("key")), [_without_id(row) for row in rows]
        )


def _without_id(row: _Row) -> dict[str, Any]:
    values = row._asdict()
    return {"key": values.pop("id"), **values}


def _insert_revisions(
    connection: Connection, rows: Sequence[_Row], documents: dict[str, str], now: Millis
) -> None:
    revisions = [
        {
            "hook_id": row.id,
            "revision": row.revision,
            "document": documents[row.id],
            "created_at": now,
        }
        for row in rows
    ]
    if revisions:
        connection.execute(insert(HOOK_REVISION), revisions)
