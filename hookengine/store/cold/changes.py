"""Whoever changes what is defined locks the one row of `definitions` first, and counts its version up."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from hookengine.domain.definition import API, Kind, Note
from hookengine.errors import ManagedElsewhere, Outdated
from hookengine.store.cold.tables import DEFINITIONS


def lock(connection: Connection) -> None:
    connection.execute(select(DEFINITIONS.c.version).with_for_update())


def count_up(connection: Connection) -> None:
    """Every node notices within a second."""
    connection.execute(update(DEFINITIONS).values(version=DEFINITIONS.c.version + 1))


def is_open(
    kind: Kind,
    identity: object,
    *,
    known: tuple[str, str] | None,
    before: str | None,
    after: str | None,
    force: bool,
) -> bool:
    """Whether a change is still to be made: on PostgreSQL it may be made twice, when the first commit's answer was
    lost. `known` is the document that is there and who manages it.

    Raises Outdated if it was decided on another document, and ManagedElsewhere.
    """
    if known is not None:
        check_manager(kind, identity, known[1], force=force)
    there = None if known is None else known[0]
    if there != before and there != after:
        raise Outdated(kind, identity)
    return there != after or (known is not None and known[1] != API)


def check_manager(kind: Kind, identity: object, managed_by: str, *, force: bool) -> None:
    """Raises ManagedElsewhere."""
    note = Note(managed_by=managed_by, created_at=0, updated_at=0)
    if note.file and not force:
        raise ManagedElsewhere(kind, identity, note.file)
