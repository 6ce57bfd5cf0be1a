"""A group of calls as one transaction on a connection to PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg

from hookengine.domain.clock import Millis
from hookengine.domain.retry import HOUR
from hookengine.store.books.asks import Ask, Claim
from hookengine.store.books.desk import Desk
from hookengine.store.books.group import Conversation, converse
from hookengine.store.books.moments import after_commit, before_commit
from hookengine.store.books.steps import LockDue, LockLanes, LockWaiting
from hookengine.store.calls import Claimed
from hookengine.store.postgres.connecting import Patience
from hookengine.store.postgres.failures import DRIVER, Fate, fate_of
from hookengine.store.postgres.rows import STEPS
from hookengine.store.postgres.times import Clocks, move_back, moved

# Settings of the transaction, not of the session: a pooler may give the session to others. Rows are found by
# index whatever the planner thinks of a table that was empty when it looked.
_OPEN: Final = """
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
    set_config('idle_in_transaction_session_timeout', $3, true), set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true)
"""
_CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_LONG: Final = 0.005  # seconds after which the clock is looked at again
_GIVE_UP: Final = "UPDATE lane SET waits_for = NULL, due_at = $2 WHERE id = $1 AND due_at <= $3"
_STANDING: Final = """
SELECT (SELECT count(*) FROM attempt WHERE token = ANY ($1::bigint[]) AND finished_at IS NULL)
    + (SELECT count(*) FROM attempt WHERE token = ANY ($2::bigint[]) AND closed_by = 'holder')
"""


class CommitUnsure(Exception):
    """The connection was lost after COMMIT had left. Whoever gets this settles it."""

    def __init__(self, desk: Desk, results: Sequence[Any]) -> None:
        self.desk = desk
        self.results = results
        super().__init__("the connection was lost while committing")

    async def stands(self, connection: asyncpg.Connection) -> bool:
        """Whether it was committed, as far as can be seen on another connection: what it wrote about attempts
        bears tokens that nobody else can have written."""
        write = self.desk.write
        opened = [attempt.token for attempt in write.opened]
        closed = [attempt.token for attempt in write.closed if attempt.closed_by == "holder"]
        if not (opened or closed):
            return False
        found: int = await connection.fetchval(_STANDING, opened, closed)
        return found == len(opened) + len(closed)


@dataclass(slots=True)
class Transactions:
    """On one connection. `spares`: nobody is rescued for as long as a lease lasts."""

    connection: asyncpg.Connection
    patience: Patience
    clocks: Clocks
    spares: bool = False
    _since: Millis | None = None
    _claimed: list[int] | None = None
    _began: float = 0.0

    async def run(self, asks: Sequence[Ask], lock: float | None = None) -> list[Any]:
        """A result or an exception for each call. Raises CommitUnsure, or what went wrong: then nothing was
        written. `lock`: how many seconds to wait for rows that others have locked."""
        now = await self._begin(asks, self.patience.lock if lock is None else lock)
        shifts = [now - ask.now if self.clocks.own else 0 for ask in asks]
        calls = [moved(ask, shift) for ask, shift in zip(asks, shifts, strict=True)]
        desk = Desk(now, calls[0].terms)
        try:
            results = await self._answer(converse(calls, desk), asks, desk)
            for result, shift in zip(results, shifts, strict=True):
                move_back(result, shift)
            before_commit(calls, desk)
            await self._commit(calls, CommitUnsure(desk, results))
        except CommitUnsure:
            raise
        except BaseException as error:
            desk.give_back()
            await self._undo(error)
            raise
        return results

    async def give_up_claim(self, ask: Claim) -> Claimed | None:
        """After a claim of one lane has failed: nobody looks at that lane for an hour. None if it looked at none."""
        if not self._claimed:
            return None
        lane_id, now = self._claimed[0], ask.now + self.clocks.ahead
        await self.connection.execute(_GIVE_UP, lane_id, now + HOUR, now)
        return Claimed(stuck=(lane_id,), more=True)

    async def _begin(self, asks: Sequence[Ask], lock: float) -> Millis:
        patience = self.patience
        try:
            await self.connection.execute("BEGIN")
            self._began = time.monotonic()
            row = await self.connection.fetchrow(
                _OPEN, _millis(patience.statement), _millis(lock), _millis(patience.idle)
            )
        except BaseException as error:
            await self._undo(error)
            raise
        now = self.clocks.decide(row[0], max(ask.now for ask in asks))
        if self._since is None:
            self._since = now
        return now

    async def _answer(self, conversation: Conversation, asks: Sequence[Ask], desk: Desk) -> list[Any]:
        connection, self._claimed = self.connection, None
        spared_until = self._since + asks[0].terms.lease if self.spares and self._since is not None else 0
        try:
            step = next(conversation)
            while True:
                if isinstance(step, LockDue):
                    step = replace(step, free_only=step.now < spared_until)
                answer = await STEPS[type(step)](connection, step)
                if isinstance(step, LockLanes) and self.clocks.own and time.monotonic() - self._began > _LONG:
                    desk.turn_clock(await connection.fetchval(_CLOCK))
                if isinstance(step, LockDue | LockWaiting):
                    self._claimed = [*(self._claimed or ()), *(lane.id for lane in answer)]
                step = conversation.send(answer)
        except StopIteration as ended:
            return list(ended.value)

    async def _commit(self, asks: Sequence[Ask], unsure: CommitUnsure) -> None:
        try:
            await self.connection.execute("COMMIT")
            after_commit(asks, unsure.desk, ConnectionError)
        except Exception as error:
            if fate_of(error) is Fate.LOST:
                self.connection.terminate()
                raise unsure from error
            raise

    async def _undo(self, error: BaseException) -> None:
        """A connection that cannot be brought back to order is closed."""
        if isinstance(error, Exception) and fate_of(error) is not Fate.LOST:
            with suppress(*DRIVER):
                await self.connection.execute("ROLLBACK")
                return
        self.connection.terminate()


def _millis(seconds: float) -> str:
    return str(round(seconds * 1000))
