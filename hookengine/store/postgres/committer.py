"""Group commit: calls that arrive while a transaction runs share the next one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import asyncpg

from hookengine.errors import StoreError
from hookengine.store.books.asks import Claim
from hookengine.store.contract import CommitListener
from hookengine.store.postgres.connecting import Patience
from hookengine.store.postgres.failures import Fate, fate_of
from hookengine.store.postgres.service import Connect, Service, Told
from hookengine.store.postgres.times import Clocks
from hookengine.store.postgres.transactions import CommitUnsure, Transactions
from hookengine.store.postgres.waiting import Call, settle

TRIES: Final = 5  # of a group that others were in the way of
LOCK_ALONE: Final = (
    0.25  # seconds a single call waits for what others have locked: its group has waited before
)


class Committer(Service):
    """The calls of a lost transaction are tried again for as long as they have patience."""

    def __init__(self, connect: Connect, told: Told, patience: Patience, clocks: Clocks) -> None:
        super().__init__(connect, told)
        self.on_commit: CommitListener = lambda seconds, calls: None
        self._patience = patience
        self._clocks = clocks
        self._transactions: Transactions | None = None

    async def _use(self, connection: asyncpg.Connection, *, again: bool) -> None:
        """After an interruption this may be another server, whose clock is ahead: leases only look expired."""
        self._transactions = Transactions(connection, self._patience, self._clocks, spares=again)

    async def _serve(self, connection: asyncpg.Connection, group: list[Call]) -> None:
        started = time.perf_counter()
        try:
            results = await self._run(group)
        except CommitUnsure as unsure:
            await self._find_out(unsure, group)
        except Exception as error:  # noqa: BLE001  whatever it is, who asked is told
            await self._failed(group, error)
        else:
            self._trouble = None
            for call, result in zip(group, results, strict=True):
                call.settle(result)
            self.on_commit(time.perf_counter() - started, len(group))

    async def _run(self, group: Sequence[Call]) -> list[Any]:
        assert self._transactions is not None  # noqa: S101  who serves is connected
        lock = LOCK_ALONE if group[0].alone else None
        tries = 1
        while True:
            try:
                return await self._transactions.run([call.ask for call in group], lock)
            except Exception as error:
                if tries == TRIES or fate_of(error) is not Fate.AGAIN:
                    raise
            await asyncio.sleep(random.uniform(0, 0.005 * 2**tries))  # noqa: S311  it parts those who collide
            tries += 1

    async def _failed(self, group: list[Call], error: Exception) -> None:
        """One call's mistake must not fail its neighbours. A claim goes on with the lanes that can be claimed."""
        call, fate = group[0], fate_of(error)
        if fate is Fate.LOST:
            self._lost(group, error)
        elif fate is Fate.ALL:
            settle(group, self._told(error))
        elif len(group) > 1:
            for each in group:
                each.alone = True
            self._waiting.put_back(group)
        elif fate is Fate.ALONE and isinstance(call.ask, Claim):
            await self._narrow(call, call.ask, error)
        else:
            call.settle(self._told(error))

    async def _narrow(self, call: Call, claim: Claim, error: Exception) -> None:
        """Look at one lane only; if that fails too, leave it alone for an hour."""
        if not claim.alone:
            call.ask = replace(claim, alone=True)
            self._waiting.put_back([call])
            return
        assert self._transactions is not None  # noqa: S101  who serves is connected
        try:
            call.settle(await self._transactions.give_up_claim(claim) or self._told(error))
        except Exception as another:  # noqa: BLE001  who asked is told
            self._transactions.connection.terminate()
            call.settle(self._told(another))

    async def _find_out(self, unsure: CommitUnsure, group: Sequence[Call]) -> None:
        """Whether it was committed. A claim that seems not to be is not repeated: if it was after all, its
        leases expire. Any other call may be."""
        self._waiting.put_back(group)
        connection = await self._connected()
        if connection is not None and await _stands(unsure, connection):
            self._waiting.take_out(group)
            for call, result in zip(group, unsure.results, strict=True):
                call.settle(result)
            return
        unsure.desk.give_back()
        claims = [call for call in group if isinstance(call.ask, Claim)]
        self._waiting.take_out(claims)
        settle(claims, StoreError(str(unsure)))


async def _stands(unsure: CommitUnsure, connection: asyncpg.Connection) -> bool:
    try:
        return await unsure.stands(connection)
    except Exception:  # noqa: BLE001  then nobody knows
        connection.terminate()
        return False
