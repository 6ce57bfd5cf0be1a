"""Which store the settings ask for, opened."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hookengine.config import Settings
from hookengine.store.contract import Store
from hookengine.store.database_url import is_postgres
from hookengine.store.records import Records
from hookengine.store.sqlite import SqliteStore

_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Memory:
    """`shared`: other nodes work on the same database."""

    store: Store
    records: Records
    shared: bool


async def open_memory(settings: Settings, stack: AsyncExitStack, *, own: bool = True) -> Memory:
    """Closed with the stack. Without `own` the database may be other processes'. Raises StoreBusy, StoreError."""
    url = settings.database
    store: Store
    if is_postgres(url):
        from hookengine.store.postgres import PostgresStore  # asyncpg takes a while: not for SQLite
        from hookengine.store.postgres_connection import postgres_engine

        store = await PostgresStore.open(url, own=own)
        records = Records(postgres_engine(url, hide_parameters=True))
    else:
        path = database_path(settings)
        store = await SqliteStore.open(path, own=own)
        records = Records.of_sqlite(path)
    stack.push_async_callback(store.close)
    stack.push_async_callback(records.close)
    return Memory(store, records, shared=is_postgres(url))


def database_path(settings: Settings) -> Path:
    """Of a SQLite database."""
    return Path(settings.database.removeprefix(_SQLITE))
