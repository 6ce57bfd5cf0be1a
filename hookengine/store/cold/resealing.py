"""Sealed values move from one key to another, in batches, beside nodes that read and write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, bindparam, func, select, tuple_, update

from hookengine.failpoints import reach
from hookengine.store.cold.tables import CONTEXT_SECRET, SECRET

TABLES: Final = (CONTEXT_SECRET, SECRET)
_KEY_SHOWN: Final = len("v1.01234567.")


class Sealed(NamedTuple):
    """A sealed value and its place: (pipeline id, path) of one that came with an event, (owner, name) of another."""

    place: tuple[Any, Any]
    value: str


class Batch(NamedTuple):
    """`last` is the place to go on after; None when there are no more."""

    resealed: int
    last: tuple[Any, Any] | None


Reseal = Callable[[Table, Sealed], str | None]
"""The value under the new key; None for one that cannot be opened, which stays as it is."""


def reseal(
    connection: Connection, table: Table, key_id: str, after: tuple[Any, Any] | None, limit: int, new: Reseal
) -> Batch:
    """Up to `limit` values that are not sealed with the key `key_id`. One that is written anew meanwhile is
    left alone: it is newer."""
    found = _not_sealed_with(connection, table, key_id, after, limit)
    changes = [(row, value) for row in found if (value := new(table, row)) is not None]
    first, second = table.primary_key.columns
    statement = update(table).where(
        first == bindparam("first"), second == bindparam("second"), table.c.sealed == bindparam("before")
    )
    if changes:
        connection.execute(
            statement,
            [
                {"first": row.place[0], "second": row.place[1], "before": row.value, "sealed": value}
                for row, value in changes
            ],
        )
    reach("rotate.before_commit", table.name)
    return Batch(len(changes), found[-1].place if len(found) == limit else None)


def keys_in_use(connection: Connection) -> Mapping[str, int]:
    """How many values begin with each `v1.KEY.`; under other beginnings are those that are not sealed."""
    counted: Counter[str] = Counter()
    for table in TABLES:
        beginning = func.substr(table.c.sealed, 1, _KEY_SHOWN)
        for key, count in connection.execute(select(beginning, func.count()).group_by(beginning)):
            counted[key if key.startswith("v1.") else ""] += count
    return counted


def _not_sealed_with(
    connection: Connection, table: Table, key_id: str, after: tuple[Any, Any] | None, limit: int
) -> list[Sealed]:
    first, second = table.primary_key.columns
    query = select(first, second, table.c.sealed).where(table.c.sealed.not_like(f"v1.{key_id}.%"))
    if after is not None:
        query = query.where(tuple_(first, second) > tuple_(*after))
    rows = connection.execute(query.order_by(first, second).limit(limit))
    return [Sealed((row[0], row[1]), row[2]) for row in rows]
