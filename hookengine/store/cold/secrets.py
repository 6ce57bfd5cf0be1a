"""Secrets that people have set, sealed. Whoever changes them locks the row of `definitions` first."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, insert, select

from hookengine.domain.secret import Kept, StoredSecret, of_hook
from hookengine.errors import NotFound
from hookengine.store.cold.changes import count_up, lock
from hookengine.store.cold.tables import HOOK, INCOMING_HOOK, PIPELINE, SECRET


def keep(connection: Connection, secret: StoredSecret, sealed: str) -> None:
    """In the place of one of this owner and name, if there is one. Raises NotFound for an owner that is not there."""
    lock(connection)
    _check_owner(connection, secret.owner)
    put(connection, secret, sealed)
    count_up(connection)


def put(connection: Connection, secret: StoredSecret, sealed: str) -> None:
    """As `keep`, for whoever has the lock, and counts up."""
    forget(connection, secret.owner, secret.name)
    connection.execute(
        insert(SECRET).values(
            owner=secret.owner,
            name=secret.name,
            hosts=json.dumps(secret.hosts),
            sealed=sealed,
            updated_at=secret.updated_at,
        )
    )


def drop(connection: Connection, owner: str, name: str) -> None:
    """Raises NotFound."""
    lock(connection)
    if not forget(connection, owner, name):
        raise NotFound("secret", name)
    count_up(connection)


def kept(connection: Connection, owner: str, name: str) -> Kept | None:
    columns = select(SECRET.c.sealed, SECRET.c.hosts)
    found = connection.execute(columns.where(SECRET.c.owner == owner, SECRET.c.name == name)).first()
    return None if found is None else Kept(found.sealed, tuple(json.loads(found.hosts)))


def listed(connection: Connection) -> tuple[StoredSecret, ...]:
    columns = SECRET.c.owner, SECRET.c.name, SECRET.c.hosts, SECRET.c.updated_at
    return tuple(
        StoredSecret(owner=owner, name=name, hosts=tuple(json.loads(hosts)), updated_at=updated_at)
        for owner, name, hosts, updated_at in sorted(
            tuple(row) for row in connection.execute(select(*columns))
        )
    )


def hooks_with_own(connection: Connection, hook_ids: Collection[str]) -> set[str]:
    """Which of these hooks have secrets of their own."""
    of_hooks = select(SECRET.c.owner).where(SECRET.c.owner.startswith(of_hook(""))).distinct()
    owners = set(connection.scalars(of_hooks))
    return {hook_id for hook_id in hook_ids if of_hook(hook_id) in owners}


def take_from(connection: Connection, owners: Collection[str]) -> None:
    """These lose all of their own."""
    if owners:
        keys = [{"of": owner} for owner in owners]
        connection.execute(delete(SECRET).where(SECRET.c.owner == bindparam("of")), keys)


def forget(connection: Connection, owner: str, name: str) -> bool:
    """Whether it was there. For whoever has the lock, and counts up."""
    gone = connection.execute(delete(SECRET).where(SECRET.c.owner == owner, SECRET.c.name == name))
    return gone.rowcount == 1


def _check_owner(connection: Connection, owner: str) -> None:
    kind, _, identity = owner.partition(":")
    if kind == "hook":
        there = select(HOOK.c.id).where(HOOK.c.id == identity, ~HOOK.c.deleted)
    elif kind == "incoming":
        there = select(INCOMING_HOOK.c.id).where(INCOMING_HOOK.c.id == identity)
    elif kind == "pipeline":
        there = select(PIPELINE.c.id).where(PIPELINE.c.id == int(identity))
    else:
        return
    if connection.execute(there).first() is None:
        raise NotFound(kind, identity)
