"""Incoming hooks as they are defined. The row of `definitions` is locked before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hookengine.domain.clock import Millis
from hookengine.domain.definition import API, Kind, Note
from hookengine.domain.documents import incoming_to_json
from hookengine.domain.pipeline import IncomingHook
from hookengine.domain.secret import of_incoming
from hookengine.store.cold import secrets
from hookengine.store.cold.changes import is_open
from hookengine.store.cold.tables import INCOMING_HOOK


def write(
    connection: Connection,
    incoming: Sequence[IncomingHook],
    managed_by: Mapping[tuple[Kind, int | str], str],
    now: Millis,
) -> None:
    known = set(connection.scalars(select(INCOMING_HOOK.c.id)))
    rows = [
        {
            "key": hook.id,
            "document": incoming_to_json(hook),
            "managed_by": managed_by[Kind.INCOMING_HOOK, hook.id],
            "updated_at": now,
        }
        for hook in incoming
    ]
    _insert(connection, [row for row in rows if row["key"] not in known], now)
    _update(connection, [row for row in rows if row["key"] in known])


def define(
    connection: Connection, before: IncomingHook | None, after: IncomingHook, force: bool, now: Millis
) -> None:
    """One that wants no signature any more loses its own secret. Raises Outdated, ManagedElsewhere."""
    known, document = manager(connection, after), incoming_to_json(after)
    earlier = None if before is None else incoming_to_json(before)
    if not is_open(Kind.INCOMING_HOOK, after.id, known=known, before=earlier, after=document, force=force):
        return
    row = {"key": after.id, "document": document, "managed_by": API, "updated_at": now}
    if known is None:
        _insert(connection, [row], now)
    else:
        _update(connection, [row])
    if after.secret is None:
        secrets.take_from(connection, [of_incoming(after.id)])


def remove(connection: Connection, ids: Collection[str]) -> None:
    """With their own secrets."""
    if ids:
        keys = [{"key": key} for key in ids]
        connection.execute(delete(INCOMING_HOOK).where(INCOMING_HOOK.c.id == bindparam("key")), keys)
        secrets.take_from(connection, list(map(of_incoming, ids)))


def manager(connection: Connection, hook: IncomingHook) -> tuple[str, str] | None:
    """Its document and who manages it, None if it is not there."""
    row = connection.execute(
        select(INCOMING_HOOK.c.document, INCOMING_HOOK.c.managed_by).where(INCOMING_HOOK.c.id == hook.id)
    ).first()
    return None if row is None else (row.document, row.managed_by)


def notes(connection: Connection, ids: Collection[int | str]) -> dict[int | str, Note]:
    table = INCOMING_HOOK
    columns = table.c.id, table.c.managed_by, table.c.created_at, table.c.updated_at
    rows = connection.execute(select(*columns).where(table.c.id.in_(list(ids))))
    return {row[0]: Note(managed_by=row[1], created_at=row[2], updated_at=row[3]) for row in rows}


def _insert(connection: Connection, rows: Sequence[dict[str, object]], now: Millis) -> None:
    if rows:
        connection.execute(
            insert(INCOMING_HOOK).values(id=bindparam("key")), [{**row, "created_at": now} for row in rows]
        )


def _update(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(update(INCOMING_HOOK).where(INCOMING_HOOK.c.id == bindparam("key")), rows)
