"""Whoever changes what is defined locks the one row of `definitions` first, and counts its version up."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from hookengine.store.cold.tables import DEFINITIONS


def lock(connection: Connection) -> None:
    connection.execute(select(DEFINITIONS.c.version).with_for_update())


def count_up(connection: Connection) -> None:
    """Every node notices within a second."""
    connection.execute(update(DEFINITIONS).values(version=DEFINITIONS.c.version + 1))
