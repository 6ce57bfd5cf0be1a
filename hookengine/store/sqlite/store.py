"""The store of one process: one connection that writes, three that read, one file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeVar

from sqlalchemy import Connection

from hookengine.domain.clock import Millis
from hookengine.domain.definition import Change, Kind, Note
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.replay import Replay as ReplayOfMany
from hookengine.domain.replay import ReplayState, ReplayStep
from hookengine.domain.secret import Kept, StoredSecret
from hookengine.domain.token import Token
from hookengine.errors import StoreError
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
from hookengine.store.sqlite import questions
from hookengine.store.sqlite.connection import SharedConnection, connect, empty_log
from hookengine.store.sqlite.owning import beside, owned
from hookengine.store.sqlite.reader import Reader
from hookengine.store.sqlite.writer import GroupWriter
from hookengine.store.standing import Changes, Standing

T = TypeVar("T")

ROOM = 1 << 18
"""Bytes that must be free beside the database: a touch still finds its place in files that nothing else fits into."""

_TOUCH = "UPDATE definitions SET version = version"


class SqliteStore:
    """See `hookengine.store.contract.Store`. Open it with `SqliteStore.open`.

    What may take long to read is read aside, so that events and deliveries never wait for it.
    """

    def __init__(self, path: Path, lock: TextIO | None) -> None:
        self.path = path
        self._lock = lock
        self._writer = GroupWriter(lambda: connect(path))
        self._here: SharedConnection | None = None
        self._reader = Reader(lambda: connect(path), "hookengine-reader")
        self._aside = Reader(lambda: connect(path), "hookengine-aside")

    @classmethod
    async def open(cls, path: Path, *, own: bool = True) -> SqliteStore:
        """Migrated to the newest tables. Raises StoreBusy while another process owns it; without `own`, only if
        there is something to migrate."""
        lock = await asyncio.get_running_loop().run_in_executor(None, owned if own else beside, path)
        try:
            store = cls(path, lock)
            await store._writer.open()
        except BaseException:
            if lock is not None:
                lock.close()
            raise
        return store

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()
        await self._aside.close()
        if self._here is not None:
            self._here.close()
        if self._lock is not None:
            self._lock.close()

    def on_commit(self, listener: CommitListener) -> None:
        """It is told of every transaction."""
        self._writer.on_commit = listener

    async def writable(self) -> None:
        await self._writer.run(lambda connection: connection.execute(_TOUCH))
        await asyncio.get_running_loop().run_in_executor(None, _find_room, self.path)

    async def remember(self, events: Sequence[str], actions: Sequence[ActionKey]) -> Remembered:
        return await self._read_here(lambda connection: questions.remember(connection, events, actions))

    async def new_action(self, pipeline_id: int, now: Millis) -> int:
        return await self._write(lambda connection: actions.new_action(connection, pipeline_id, now))

    def accept(self, events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Intake]:
        return self._writer.ask(Accept(events, now, terms))

    async def claim(self, now: Millis, terms: LeaseTerms, held: Collection[int] = frozenset()) -> Claimed:
        claimed: Claimed = await self._writer.ask(Claim(now, terms, held))
        return claimed

    async def finish(self, report: Report, now: Millis, terms: LeaseTerms) -> Finished:
        finished: Finished = await self._writer.ask(Finish(report, now, terms))
        return finished

    async def release(self, token: int, now: Millis, terms: LeaseTerms, at: Millis = 0) -> tuple[Ending, ...]:
        endings: tuple[Ending, ...] = await self._writer.ask(Release(token, now, terms, at))
        return endings

    async def cancel(self, delivery_id: str, because: str, now: Millis, terms: LeaseTerms) -> str:
        status: str = await self._writer.ask(Cancel(delivery_id, because, now, terms))
        return status

    async def replay(self, owed: OwedReplay, now: Millis, terms: LeaseTerms) -> Replayed:
        replayed: Replayed = await self._writer.ask(Replay(owed, now, terms))
        return replayed

    async def begin_replay(self, replay: ReplayOfMany, now: Millis) -> None:
        await self._write(lambda connection: replays.begin(connection, replay, now))

    async def take_replay(self, now: Millis, until: Millis) -> ReplayOfMany | None:
        return await self._write(lambda connection: replays.take_due(connection, now, until))

    async def advance_replay(self, replay: ReplayOfMany, step: ReplayStep, now: Millis) -> None:
        await self._write(lambda connection: replays.advance(connection, replay, step, now))

    async def switch_replay(self, replay_id: str, state: ReplayState, now: Millis) -> None:
        await self._write(lambda connection: replays.switch(connection, replay_id, state, now))

    async def next_due(self, now: Millis) -> Millis | None:
        return await self._read_here(lambda connection: questions.next_due(connection, now))

    async def expire_leases(self, now: Millis) -> int:
        return await self._write(lambda connection: upkeep.expire_leases(connection, now))

    async def sealed(self, pipeline_id: int, path: str) -> str | None:
        return await self._read_here(lambda connection: questions.sealed(connection, pipeline_id, path))

    async def keep_secret(self, secret: StoredSecret, sealed: str) -> None:
        await self._write(lambda connection: secrets.keep(connection, secret, sealed))

    async def drop_secret(self, owner: str, name: str) -> None:
        await self._write(lambda connection: secrets.drop(connection, owner, name))

    async def kept_secret(self, owner: str, name: str) -> Kept | None:
        return await self._read(lambda connection: secrets.kept(connection, owner, name))

    async def keep_token(self, token: Token) -> None:
        await self._write(lambda connection: tokens.keep(connection, token))

    async def drop_token(self, token_id: str) -> None:
        await self._write(lambda connection: tokens.drop(connection, token_id))

    async def standing(self) -> Standing:
        return await self._read_aside(defining.standing)

    async def apply(self, changes: Changes, now: Millis) -> None:
        await self._write(lambda connection: defining.apply(connection, changes, now))

    async def create_pipeline(self, reference: int | str) -> Definitions:
        return await self._write(lambda connection: defining.create_pipeline(connection, reference))

    async def define(self, change: Change, now: Millis) -> None:
        await self._write(lambda connection: single.define(connection, change, now))

    async def free_pipeline_id(self) -> int:
        return await self._read_aside(pipelines.free_id)

    async def notes(self, kind: Kind, ids: Collection[int | str]) -> Mapping[int | str, Note]:
        return await self._read_aside(lambda connection: single.notes(connection, kind, ids))

    async def revisions(self, hook_id: str) -> tuple[tuple[Hook, Millis], ...]:
        return await self._read_aside(lambda connection: hooks.revisions(connection, hook_id))

    async def sent_by(self, hook_id: str, offset: int, limit: int) -> tuple[int, tuple[SentRequest, ...]]:
        return await self._read_aside(lambda connection: attempts.of_hook(connection, hook_id, offset, limit))

    async def sent(self, delivery_id: str, attempt: int) -> SentRequest | None:
        return await self._read_aside(lambda connection: attempts.one(connection, delivery_id, attempt))

    async def definitions(self, known: int = 0) -> tuple[int, Definitions | None]:
        return await self._read_aside(lambda connection: defining.definitions(connection, known))

    async def switch(self, hook_id: str, state: HookState, because: str, now: Millis) -> None:
        await self._write(lambda connection: defining.switch(connection, hook_id, state, because, now))

    async def hook_revision(self, hook_id: str, revision: int) -> Hook | None:
        return await self._read(lambda connection: defining.hook_revision(connection, hook_id, revision))

    async def prune(self, horizon: Horizon, limit: int, place: LeftOff = FROM_THE_START) -> Pruned:
        found = await self._read_aside(lambda connection: pruning.find(connection, horizon, limit, place))
        if not found.keys:
            return pruning.pruned(found, 0, limit)
        return await self._write(lambda connection: pruning.remove(connection, found, horizon, limit))

    async def sweep(self, now: Millis, settle: Millis) -> int:
        found = await self._read_aside(sweeping.find)
        if not found:
            return 0
        return await self._write(lambda connection: sweeping.mend(connection, found, now, settle))

    async def tidy(self) -> None:
        """While somebody reads for long, the log grows; afterwards it is emptied here."""
        await self._aside.ask(empty_log)

    async def overdue(
        self, before: Millis, limit: int, place: OpenPlace = FROM_THE_LONGEST
    ) -> tuple[Overdue, ...]:
        return await self._read_aside(lambda connection: actions.overdue(connection, before, limit, place))

    async def figures(self, now: Millis) -> Figures:
        figures = await self._read_aside(lambda connection: upkeep.figures(connection, now))
        wal = self.path.with_name(self.path.name + "-wal")
        return replace(figures, wal_bytes=wal.stat().st_size if wal.exists() else 0)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await self._writer.run(lambda shared: shared.lend(work))

    async def _read_here(self, question: Callable[[SharedConnection], T]) -> T:
        """In the loop: what is found by its key is found sooner than a thread would wake."""
        try:
            if self._here is None:
                self._here = connect(self.path, timeout=0)
            return question(self._here)
        except sqlite3.Error:  # the reader can wait for what is in the way
            return await self._reader.ask(question)

    async def _read(self, question: Callable[[Connection], T]) -> T:
        return await self._reader.ask(lambda shared: shared.lend(question))

    async def _read_aside(self, question: Callable[[Connection], T]) -> T:
        return await self._aside.ask(lambda shared: shared.lend(question))


def _find_room(path: Path) -> None:
    """Raises StoreError."""
    beside = path.with_name(path.name + ".room")
    try:
        beside.write_bytes(bytes(ROOM))
    except OSError as error:
        raise StoreError(f"{path} has no room to grow: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
