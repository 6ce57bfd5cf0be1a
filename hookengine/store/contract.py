"""What the engine asks of a database. Every store keeps these promises; one suite of tests holds them to it.

Eligible: a lane may be claimed when it has a head, its `due_at` has come, and it waits for nothing else. A
lease moves `due_at` to the lease's end, so that the lane of a node that went away is claimed like any other,
after a rescue. A head that is due but not admitted - its host's circuit is open, its credential paused or
used up, its hook paused, or the asking node has no room for its host or hook - sets its lane aside under the
name of what it waits for (`waits_for`). Such lanes cost a claim nothing, however many they are; they are
claimed when what they wait for gives way.

Atomic: each method is one transaction, durable when it returns. `accept` writes its events, what their
actions are remembered by, their deliveries and the leases it grants, or nothing. `finish` writes the result
and grants the next lease of the same lane, or nothing. No lease is granted without its attempt being written.

Together: calls that arrive while a transaction runs share the next one (group commit). One that fails on its
own account fails alone.

Clocks: `now` is the caller's. A store that several nodes share goes by its database's clock instead, and
moves the times it is given by the difference; what it returns is in the caller's time again.

Ordered: what happens to a lane is decided by `hookengine.domain.lane_book`, under the lane's lock. A result
is taken only from the holder of the lease's token; any other is kept on its attempt as late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from hookengine.domain.clock import Millis
from hookengine.domain.definition import Change, Kind, Note
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.replay import Replay as ReplayOfMany
from hookengine.domain.replay import ReplayState, ReplayStep
from hookengine.domain.secret import Kept, StoredSecret
from hookengine.domain.token import Token
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
from hookengine.store.standing import Changes, Standing

CommitListener = Callable[[float, int], None]
"""Told after each transaction how many seconds it took and how many calls shared it; perhaps in a thread."""


class Store(Protocol):
    """All methods raise StoreError when the database fails; then nothing was done, or its commit is unsure."""

    async def close(self) -> None: ...

    def on_commit(self, listener: CommitListener) -> None: ...

    async def writable(self) -> None:
        """Raises StoreError unless something can be written durably now."""
        ...

    async def remember(self, events: Sequence[str], actions: Sequence[ActionKey]) -> Remembered:
        """`events` by their keys."""
        ...

    async def new_action(self, pipeline_id: int, now: Millis) -> int:
        """A fresh whole-number id for an action that an incoming hook starts."""
        ...

    def accept(self, events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Intake]:
        """All or nothing. Raises EventConflict, or StaleContext when an action moved on meanwhile.

        A future, so that what was granted reaches who asked even if nobody waits for it any more.
        """
        ...

    async def claim(self, now: Millis, terms: LeaseTerms, held: Collection[int] = frozenset()) -> Claimed:
        """Due lanes, those due longest first, as many as `terms.room` takes; expired leases are rescued on the way.

        `held` are the tokens the asking node holds. Their leases only look expired, because the wall clock
        was set forward: they last for another `terms.lease` from now on, and nobody is rescued from them.
        """
        ...

    async def finish(self, report: Report, now: Millis, terms: LeaseTerms) -> Finished:
        """Record a result; the lane's next delivery is taken at once, if one is due and `terms.room` takes it."""
        ...

    async def release(self, token: int, now: Millis, terms: LeaseTerms, at: Millis = 0) -> tuple[Ending, ...]:
        """Give a lease back, no byte of its request having left; the lane is due again from `at` on.

        The result is what ended instead of waiting again.
        """
        ...

    async def cancel(self, delivery_id: str, because: str, now: Millis, terms: LeaseTerms) -> str:
        """Cancel a delivery for a person; its status afterwards. Raises NotFound."""
        ...

    async def replay(self, owed: OwedReplay, now: Millis, terms: LeaseTerms) -> Replayed:
        """Owe a delivery that has ended once more, in its lane. The same id again changes nothing.

        Raises NotFound, and ReplayRefused: nothing is written where it would put an older state over a newer
        one, or where what it would send is not there any more.
        """
        ...

    async def begin_replay(self, replay: ReplayOfMany, now: Millis) -> None:
        """Keep a replay of many, due at once."""
        ...

    async def take_replay(self, now: Millis, until: Millis) -> ReplayOfMany | None:
        """A replay of many that is due, for whoever asks: for other nodes it is due again only then."""
        ...

    async def advance_replay(self, replay: ReplayOfMany, step: ReplayStep, now: Millis) -> None:
        """Note how far it has come from where it was."""
        ...

    async def switch_replay(self, replay_id: str, state: ReplayState, now: Millis) -> None:
        """Pause it, go on with it or cancel it. Raises NotFound, and ReplayRefused for one that has ended."""
        ...

    async def next_due(self, now: Millis) -> Millis | None:
        """When the next lane may be claimed; None while nothing waits. Lanes that wait for room do not count."""
        ...

    async def expire_leases(self, now: Millis) -> int:
        """Make every lease end now. Only for a store that one process owns, at its start."""
        ...

    async def sealed(self, pipeline_id: int, path: str) -> str | None:
        """The newest context secret at this path, sealed."""
        ...

    async def keep_secret(self, secret: StoredSecret, sealed: str) -> None:
        """In the place of the owner's of this name, if there is one. Raises NotFound for an unknown owner."""
        ...

    async def drop_secret(self, owner: str, name: str) -> None:
        """Raises NotFound."""
        ...

    async def kept_secret(self, owner: str, name: str) -> Kept | None: ...

    async def keep_token(self, token: Token) -> None:
        """A new one. Raises NotFound for an unknown pipeline."""
        ...

    async def drop_token(self, token_id: str) -> None:
        """Raises NotFound."""
        ...

    async def standing(self) -> Standing:
        """All that is defined now, and by whom."""
        ...

    async def apply(self, changes: Changes, now: Millis) -> None:
        """A hook whose document changed gets a new revision; one that goes to another host, or is deleted, loses
        the secrets of its own. Raises DefinitionsMoved if what is defined has changed since its standing."""
        ...

    async def create_pipeline(self, reference: int | str) -> Definitions:
        """Make a pipeline of this id or name, unless there is one; the result is all that is defined now."""
        ...

    async def define(self, change: Change, now: Millis) -> None:
        """Create, change or delete one pipeline, hook or incoming hook. A hook that goes to another host, or is
        deleted, loses the secrets of its own; a pipeline is deleted with its hooks.

        Raises Outdated if it is not what the change was decided on, ManagedElsewhere if files manage it and the
        change is not forced, and ConfigError for a pipeline's name that another one has."""
        ...

    async def free_pipeline_id(self) -> int:
        """One that neither a pipeline has nor, by what its actions tell, ever had."""
        ...

    async def notes(self, kind: Kind, ids: Collection[int | str]) -> Mapping[int | str, Note]:
        """What is known of these beside themselves; those that are not there are left out."""
        ...

    async def revisions(self, hook_id: str) -> tuple[tuple[Hook, Millis], ...]:
        """All that the hook ever was, the newest first, and when it became so."""
        ...

    async def sent_by(self, hook_id: str, offset: int, limit: int) -> tuple[int, tuple[SentRequest, ...]]:
        """How many attempts the hook's deliveries had, and some of them, the newest delivery first."""
        ...

    async def sent(self, delivery_id: str, attempt: int) -> SentRequest | None: ...

    async def definitions(self, known: int = 0) -> tuple[int, Definitions | None]:
        """The version of what is defined, and all of it; None instead if the version is `known`."""
        ...

    async def switch(self, hook_id: str, state: HookState, because: str, now: Millis) -> None:
        """Switch a hook on, off or to paused, for this reason. Raises NotFound."""
        ...

    async def hook_revision(self, hook_id: str, revision: int) -> Hook | None:
        """The hook as it was when something was rendered with it."""
        ...

    async def prune(self, horizon: Horizon, limit: int, place: LeftOff = FROM_THE_START) -> Pruned:
        """Delete lanes at rest whose deliveries all ended before the horizon, with all that belongs to them;
        events and actions that owe nothing; gates that have held nothing back for a day.

        At most `limit` rows of each kind, the oldest; to be asked again until nothing is left off. What another
        transaction has locked stays until another time.
        """
        ...

    async def sweep(self, now: Millis, settle: Millis) -> int:
        """Mend lanes that wait without a head, and deliveries that are sent by nobody; how many there were,
        which should be none. What those were sent may still take effect: that is a doubt, which settles."""
        ...

    async def tidy(self) -> None:
        """Give back what the database holds and needs no more."""
        ...

    async def overdue(
        self, before: Millis, limit: int, place: OpenPlace = FROM_THE_LONGEST
    ) -> tuple[Overdue, ...]:
        """Actions queued or started last before then that have not ended, those longest open first; only those
        after the one of this `place`."""
        ...

    async def figures(self, now: Millis) -> Figures:
        """What the store holds at this moment, in numbers."""
        ...
