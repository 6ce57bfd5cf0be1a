"""The store of many nodes: each a few connections to one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import asyncpg
from sqlalchemy import Connection, text

from hookengine.domain.clock import Millis
from hookengine.domain.definition import Change, Kind, Note
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.replay import Replay as ReplayOfMany
from hookengine.domain.replay import ReplayState, ReplayStep
from hookengine.domain.secret import Kept, StoredSecret
from hookengine.domain.token import Token
from hookengine.store.books.asks import Accept, Cancel, Claim, Finish, Release, Replay
from hookengine.store.calls import (
    ActionKey,
    Claimed,
    Ending,
    Finished,
    Intake,
    LeaseTerms,
    OwedEvent,
    OwedReplay,
    Remembered,
    Replayed,
    Report,
)
from hookengine.store.care import (
    FROM_THE_LONGEST,
    FROM_THE_START,
    Definitions,
    Figures,
    Horizon,
    LeftOff,
    OpenPlace,
    Overdue,
    Pruned,
    SentRequest,
)
from hookengine.store.cold import (
    actions,
    attempts,
    hooks,
    pipelines,
    pruning,
    replays,
    secrets,
    single,
    sweeping,
    tokens,
    upkeep,
)
from hookengine.store.cold import definitions as defining
from hookengine.store.contract import CommitListener
from hookengine.store.migrations import upgrade, upgrade_beside
from hookengine.store.postgres.aside import Aside
from hookengine.store.postgres.committer import Committer
from hookengine.store.postgres.connecting import PATIENCE, Patience, connect
from hookengine.store.postgres.failures import told
from hookengine.store.postgres.reader import ContextSecret, OwnedSecret, Question, Reader
from hookengine.store.postgres.times import Clocks
from hookengine.store.standing import Changes, Standing

T = TypeVar("T")

SOON: Final = 5.0
"""Seconds that a node waits to hear whether it can write, and when something is due: a connection that falls
silent takes a minute to be given up."""
_TOUCH: Final = text(
    "UPDATE definitions SET version = version WHERE id IN"
    " (SELECT id FROM definitions FOR NO KEY UPDATE SKIP LOCKED)"
)
_LITTLE_MEMORY: Final = text("SELECT set_config('work_mem', '64kB', true)")
_ROOM: Final = text("SELECT count(*) FROM generate_series(1, 20000)")
"""Half a megabyte, which with so little memory goes to a file: on a full disk, that fails first of all."""


class PostgresStore:
    """See `hookengine.store.contract.Store`. Open it with `PostgresStore.open`.

    It goes by the database's clock. Claims have a connection of their own, so that they and what is accepted
    and finished never wait for each other.
    """

    def __init__(self, url: str, patience: Patience, *, own_clock: bool) -> None:
        def tell(error: BaseException) -> BaseException:
            return told(url, error)

        def connection() -> Awaitable[asyncpg.Connection]:
            return connect(url, patience)

        self._url = url
        self._clocks = Clocks(own_clock)
        self._committer = Committer(connection, tell, patience, self._clocks)
        self._claimer = Committer(connection, tell, patience, self._clocks)
        self._reader = Reader(connection, tell)
        self._aside = Aside(url, tell, self._clocks, patience.connect)

    @classmethod
    async def open(
        cls, url: str, *, own: bool = True, patience: Patience = PATIENCE, own_clock: bool = True
    ) -> PostgresStore:
        """Migrated to the newest tables; without `own`, it is no node that opens it, and StoreBusy if there is
        something to migrate. `own_clock=False` is for tests: then it goes by its callers' time. Raises StoreError."""
        await asyncio.get_running_loop().run_in_executor(None, upgrade if own else upgrade_beside, url)
        store = cls(url, patience, own_clock=own_clock)
        try:
            for service in store._services:
                await service.open()
        except BaseException as error:
            await store.close()
            if (failure := told(url, error)) is error:
                raise
            raise failure from error
        return store

    @property
    def _services(self) -> tuple[Committer, Committer, Reader]:
        return self._committer, self._claimer, self._reader

    async def close(self) -> None:
        """What was asked before is still written."""
        for service in self._services:
            await service.close()
        await self._aside.close()

    def on_commit(self, listener: CommitListener) -> None:
        """It is told of every transaction with accepts, claims and results."""
        self._committer.on_commit = self._claimer.on_commit = listener

    async def writable(self) -> None:
        def touch(connection: Connection, ahead: Millis) -> None:
            for statement in (_LITTLE_MEMORY, _ROOM, _TOUCH):
                connection.execute(statement)

        await self._soon(self._aside.run(touch))

    async def remember(self, events: Sequence[str], actions: Sequence[ActionKey]) -> Remembered:
        remembered: Remembered = await self._reader.ask(Question(events, actions))
        return remembered

    async def new_action(self, pipeline_id: int, now: Millis) -> int:
        return await self._aside.run(
            lambda connection, ahead: actions.new_action(connection, pipeline_id, now + ahead), now
        )

    def accept(self, events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Intake]:
        return self._committer.ask(Accept(events, now, terms))

    async def claim(self, now: Millis, terms: LeaseTerms, held: Collection[int] = frozenset()) -> Claimed:
        claimed: Claimed = await self._claimer.ask(Claim(now, terms, held))
        return claimed

    async def finish(self, report: Report, now: Millis, terms: LeaseTerms) -> Finished:
        finished: Finished = await self._committer.ask(Finish(report, now, terms))
        return finished

    async def release(self, token: int, now: Millis, terms: LeaseTerms, at: Millis = 0) -> tuple[Ending, ...]:
        endings: tuple[Ending, ...] = await self._committer.ask(Release(token, now, terms, at))
        return endings

    async def cancel(self, delivery_id: str, because: str, now: Millis, terms: LeaseTerms) -> str:
        status: str = await self._committer.ask(Cancel(delivery_id, because, now, terms))
        return status

    async def replay(self, owed: OwedReplay, now: Millis, terms: LeaseTerms) -> Replayed:
        replayed: Replayed = await self._committer.ask(Replay(owed, now, terms))
        return replayed

    async def begin_replay(self, replay: ReplayOfMany, now: Millis) -> None:
        await self._aside.run(lambda connection, ahead: replays.begin(connection, replay, now + ahead), now)

    async def take_replay(self, now: Millis, until: Millis) -> ReplayOfMany | None:
        return await self._aside.run(
            lambda connection, ahead: replays.take_due(connection, now + ahead, until + ahead), now
        )

    async def advance_replay(self, replay: ReplayOfMany, step: ReplayStep, now: Millis) -> None:
        def advance(connection: Connection, ahead: Millis) -> None:
            here = replace(step, due_at=step.due_at + ahead)
            replays.advance(connection, replay, here, now + ahead)

        await self._aside.run(advance, now)

    async def switch_replay(self, replay_id: str, state: ReplayState, now: Millis) -> None:
        await self._aside.run(
            lambda connection, ahead: replays.switch(connection, replay_id, state, now + ahead), now
        )

    async def next_due(self, now: Millis) -> Millis | None:
        asked = self._aside.run(
            lambda connection, ahead: (upkeep.next_due(connection, now + ahead), ahead), now
        )
        due, ahead = await self._soon(asked)
        return None if due is None else due - ahead

    async def expire_leases(self, now: Millis) -> int:
        return await self._aside.run(
            lambda connection, ahead: upkeep.expire_leases(connection, now + ahead), now
        )

    async def sealed(self, pipeline_id: int, path: str) -> str | None:
        found: str | None = await self._reader.ask(ContextSecret(pipeline_id, path))
        return found

    async def keep_secret(self, secret: StoredSecret, sealed: str) -> None:
        def keep(connection: Connection, ahead: Millis) -> None:
            secrets.keep(connection, replace(secret, updated_at=secret.updated_at + ahead), sealed)

        await self._aside.run(keep, secret.updated_at)

    async def drop_secret(self, owner: str, name: str) -> None:
        await self._aside.run(lambda connection, ahead: secrets.drop(connection, owner, name))

    async def kept_secret(self, owner: str, name: str) -> Kept | None:
        found: tuple[str, str] | None = await self._reader.ask(OwnedSecret(owner, name))
        return None if found is None else Kept(found[0], tuple(json.loads(found[1])))

    async def keep_token(self, token: Token) -> None:
        def keep(connection: Connection, ahead: Millis) -> None:
            tokens.keep(connection, replace(token, created_at=token.created_at + ahead))

        await self._aside.run(keep, token.created_at)

    async def drop_token(self, token_id: str) -> None:
        await self._aside.run(lambda connection, ahead: tokens.drop(connection, token_id))

    async def standing(self) -> Standing:
        return await self._aside.run(lambda connection, ahead: defining.standing(connection))

    async def apply(self, changes: Changes, now: Millis) -> None:
        await self._aside.run(lambda connection, ahead: defining.apply(connection, changes, now + ahead), now)

    async def create_pipeline(self, reference: int | str) -> Definitions:
        return await self._aside.run(
            lambda connection, ahead: defining.create_pipeline(connection, reference)
        )

    async def define(self, change: Change, now: Millis) -> None:
        await self._aside.run(lambda connection, ahead: single.define(connection, change, now + ahead), now)

    async def free_pipeline_id(self) -> int:
        return await self._aside.run(lambda connection, ahead: pipelines.free_id(connection))

    async def notes(self, kind: Kind, ids: Collection[int | str]) -> Mapping[int | str, Note]:
        return await self._aside.run(lambda connection, ahead: single.notes(connection, kind, ids))

    async def revisions(self, hook_id: str) -> tuple[tuple[Hook, Millis], ...]:
        return await self._aside.run(lambda connection, ahead: hooks.revisions(connection, hook_id))

    async def sent_by(self, hook_id: str, offset: int, limit: int) -> tuple[int, tuple[SentRequest, ...]]:
        return await self._aside.run(
            lambda connection, ahead: attempts.of_hook(connection, hook_id, offset, limit)
        )

    async def sent(self, delivery_id: str, attempt: int) -> SentRequest | None:
        return await self._aside.run(lambda connection, ahead: attempts.one(connection, delivery_id, attempt))

    async def definitions(self, known: int = 0) -> tuple[int, Definitions | None]:
        return await self._aside.run(lambda connection, ahead: defining.definitions(connection, known))

    async def switch(self, hook_id: str, state: HookState, because: str, now: Millis) -> None:
        await self._aside.run(
            lambda connection, ahead: defining.switch(connection, hook_id, state, because, now + ahead), now
        )

    async def hook_revision(self, hook_id: str, revision: int) -> Hook | None:
        return await self._aside.run(
            lambda connection, ahead: defining.hook_revision(connection, hook_id, revision)
        )

    async def prune(self, horizon: Horizon, limit: int, place: LeftOff = FROM_THE_START) -> Pruned:
        def here(ahead: Millis) -> Horizon:
            return Horizon(
                delivered=horizon.delivered + ahead, failed=horizon.failed + ahead, now=horizon.now + ahead
            )

        found = await self._aside.run(
            lambda connection, ahead: pruning.find(connection, here(ahead), limit, place), horizon.now
        )
        if not found.keys:
            return pruning.pruned(found, 0, limit)
        return await self._aside.run(
            lambda connection, ahead: pruning.remove(connection, found, here(ahead), limit), horizon.now
        )

    async def sweep(self, now: Millis, settle: Millis) -> int:
        found = await self._aside.run(lambda connection, ahead: sweeping.find(connection))
        if not found:
            return 0
        return await self._aside.run(
            lambda connection, ahead: sweeping.mend(connection, found, now + ahead, settle), now
        )

    async def tidy(self) -> None:
        """Autovacuum does it, often enough: see the migrations."""

    async def overdue(
        self, before: Millis, limit: int, place: OpenPlace = FROM_THE_LONGEST
    ) -> tuple[Overdue, ...]:
        return await self._aside.run(
            lambda connection, ahead: actions.overdue(connection, before + ahead, limit, place)
        )

    async def figures(self, now: Millis) -> Figures:
        figures, ahead = await self._aside.run(
            lambda connection, ahead: (upkeep.figures(connection, now + ahead), ahead), now
        )
        due = figures.oldest_due
        return replace(figures, oldest_due=None if due is None else due - ahead)

    async def _soon(self, answer: Awaitable[T]) -> T:
        """Raises StoreError if it does not come soon."""
        try:
            async with asyncio.timeout(SOON):
                return await answer
        except TimeoutError as error:
            raise told(self._url, error) from error
