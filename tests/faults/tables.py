"""The tables as they are, for the judge."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.faults.history import Rows

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def rows_of(url: str) -> Rows:
    """All of them at one moment. `url` as in the engine's configuration."""
    return asyncio.run(_read(url))


async def _read(url: str) -> Rows:
    kind, _, rest = url.partition("://")
    engine = create_async_engine(f"{DRIVERS[kind]}://{rest}")
    try:
        async with engine.connect() as connection:
            if kind == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            found: dict[str, list[dict[str, Any]]] = {}
            for table in (field.name for field in fields(Rows)):
                rows = await connection.execute(text(f'SELECT * FROM "{table}"'))
                found[table] = [dict(row) for row in rows.mappings()]
    finally:
        await engine.dispose()
    return Rows(**found)
