"""What the store does now and then, over a few connections beside those of the hot path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from hookengine.domain.clock import Millis
from hookengine.store.postgres.connecting import Patience, connect
from hookengine.store.postgres.failures import Fate, fate_of
from hookengine.store.postgres.service import Told
from hookengine.store.postgres.times import Clocks

T = TypeVar("T")
Work = Callable[[Connection, Millis], T]
"""Done in a transaction of its own. It is told by how much the clock it goes by is ahead of the node's."""

TRIES: Final = 4
CONNECTIONS: Final = 2
_PATIENCE: Final = Patience(statement=60.0, answer=70.0, lock=5.0)

# Rows are found by index whatever the planner thinks of a table that was empty when it looked: it would read all of
# one table for each row of another.
_OPEN: Final = text(f"""
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    set_config('statement_timeout', '{_PATIENCE.statement:.0f}s', true),
    set_config('lock_timeout', '{_PATIENCE.lock:.0f}s', true),
    set_config('idle_in_transaction_session_timeout', '{_PATIENCE.idle:.0f}s', true),
    set_config('enable_seqscan', 'off', true),
    set_config('jit', 'off', true)  -- what takes long here is looking up, not computing
""")


class Aside:
    """All that is done here may be done again when its commit was lost."""

    def __init__(self, url: str, told: Told, clocks: Clocks, connect_patience: float) -> None:
        patience = replace(_PATIENCE, connect=connect_patience)
        self._told = told
        self._clocks = clocks
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(url, patience),
            pool_size=CONNECTIONS,
            max_overflow=0,
        )
        self._under_way: set[asyncio.Task[object]] = set()

    async def close(self) -> None:
        """What was asked before is still done."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._engine.dispose()

    async def run(self, work: Work[T], now: Millis | None = None) -> T:
        """`now` is what the node's clock shows. A caller that is cancelled does not stop it: a connection
        that is interrupted may come back with its transaction open."""
        task = asyncio.create_task(self._until_done(work, now))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _until_done(self, work: Work[T], now: Millis | None) -> T:
        tries = 1
        while True:
            try:
                return await self._transaction(work, now)
            except Exception as error:
                if tries == TRIES or fate_of(error) not in {Fate.AGAIN, Fate.LOST}:
                    if (failure := self._told(error)) is error:
                        raise
                    raise failure from error
            await asyncio.sleep(random.uniform(0, 0.02 * 4**tries))  # noqa: S311  it parts those who collide
            tries += 1

    async def _transaction(self, work: Work[T], now: Millis | None) -> T:
        async with self._engine.begin() as connection:
            try:
                opened = (await connection.execute(_OPEN)).one()
                if now is not None:
                    self._clocks.decide(opened[0], now)
                ahead = self._clocks.ahead
                return await connection.run_sync(lambda connection: work(connection, ahead))
            except Exception as error:
                if fate_of(error) is Fate.LOST:
                    await connection.invalidate(error)
                raise
