"""What the engine asks of a database. Every store keeps these promises; one suite of tests holds them to it.

Eligible: a lane may be claimed when it has a head and its `due_at` has come. A lease moves `due_at` to the
lease's end, so that the lane of a node that went away is claimed like any other, after a rescue.

Atomic: each method is one transaction, durable when it returns. `accept` writes its events, what their
actions are remembered by, their deliveries and the leases it grants, or nothing. `finish` writes the result
and grants the next lease of the same lane, or nothing. No lease is granted without its attempt being written.

Ordered: what happens to a lane is decided by `hookengine.domain.lane_book`, under the lane's lock. A result
is taken only from the holder of the lease's token; any other is kept on its attempt as late.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hookengine.domain.attempt import Certainty, Outcome, Verdict
from hookengine.domain.clock import Millis
from hookengine.domain.event import Event, Rank
from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.request import RenderedRequest

ActionKey = tuple[int, str]
"""(pipeline id, the action's id as text)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedDelivery:
    """A delivery an event is about to owe. Without a request it is born failed, because of `unrenderable`."""

    id: str
    hook_id: str
    hook_revision: int
    lane_key: str = ""
    policy: LanePolicy = LanePolicy.NONE
    request: RenderedRequest | None = None
    unrenderable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedEvent:
    """An event with all it owes, rendered. `context` is what its action will be remembered by; it was
    laid over the context of revision `known_revision` (0: the action was unknown).
    """

    id: str
    event: Event
    pipeline_id: int
    digest: str
    document: str
    answer: str
    context: str
    known_revision: int
    deliveries: tuple[OwedDelivery, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)  # path -> sealed

    @property
    def action(self) -> ActionKey:
        return self.pipeline_id, str(self.event.action_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """`events` maps known ids to (digest, answer), `actions` known actions to (revision, context)."""

    events: Mapping[str, tuple[str, str]]
    actions: Mapping[ActionKey, tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """How many leases the asking node can use now, how long they last, and how long a doubt takes to settle."""

    capacity: int
    lease: Millis
    settle: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A delivery this node holds the lease for, with its attempt written: it must be sent or released."""

    token: int
    delivery_id: str
    event_id: str
    hook_id: str
    hook_revision: int
    attempt: int
    rank: Rank
    accepted_at: Millis
    started_at: Millis
    lane_key: str
    position: tuple[int, int, int]
    request: RenderedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How an attempt ended and what follows."""

    token: int
    outcome: Outcome
    certainty: Certainty
    verdict: Verdict
    finished_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A delivery that ended in this transaction without being sent by it: superseded or cancelled on the way."""

    delivery_id: str
    status: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """`fresh` is False for an event that was known: its answer is the one given before."""

    answer: str
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What came of accepting: an answer per event in order, the leases granted, and what ended unsent."""

    accepted: tuple[Accepted, ...]
    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """`stuck`: lanes that could not be claimed because of a mistake in their rows; each waits for an hour."""

    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()
    rescued: tuple[str, ...] = ()  # deliveries whose attempt ended unknown
    stuck: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`status` and `because` are the delivery's now. `late`: the lease was gone, only the attempt was written."""

    status: str = ""
    because: str = ""
    late: bool = False
    following: Leased | None = None
    endings: tuple[Ending, ...] = ()
    repair_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What admins defined, as the engine runs it."""

    pipelines: tuple[Pipeline, ...] = ()
    hooks: tuple[Hook, ...] = ()
    incoming_hooks: tuple[IncomingHook, ...] = ()


class Store(Protocol):
    """All methods raise StoreError when the database fails; then nothing was done, or its commit is unsure."""

    async def close(self) -> None: ...

    async def remember(self, events: Sequence[str], actions: Sequence[ActionKey]) -> Remembered: ...

    async def new_action(self, pipeline_id: int, now: Millis) -> int:
        """A fresh whole-number id for an action that an incoming hook starts."""
        ...

    async def accept(self, events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> Intake:
        """All or nothing. Raises EventConflict, or StaleContext when an action moved on meanwhile."""
        ...

    async def claim(self, now: Millis, terms: LeaseTerms, held: Collection[int] = frozenset()) -> Claimed:
        """Up to `terms.capacity` due lanes, those due longest first; expired leases are rescued on the way.

        `held` are the tokens the asking node holds. Their leases only look expired, because the wall clock
        was set forward: they last for another `terms.lease` from now on, and nobody is rescued from them.
        """
        ...

    async def finish(self, report: Report, now: Millis, terms: LeaseTerms) -> Finished:
        """Record a result; `terms.capacity` 1 takes the lane's next delivery at once, if one is due."""
        ...

    async def release(self, token: int, now: Millis, terms: LeaseTerms, at: Millis = 0) -> tuple[Ending, ...]:
        """Give a lease back, no byte of its request having left; the lane is due again from `at` on.

        The result is what ended instead of waiting again.
        """
        ...

    async def cancel(self, delivery_id: str, because: str, now: Millis, terms: LeaseTerms) -> str:
        """Cancel a delivery for a person; its status afterwards. Raises NotFound."""
        ...

    async def next_due(self) -> Millis | None:
        """When the next lane may be claimed; None while nothing waits."""
        ...

    async def expire_leases(self, now: Millis) -> int:
        """Make every lease end now. Only for a store that one process owns, at its start."""
        ...

    async def sealed(self, pipeline_id: int, path: str) -> str | None:
        """The newest context secret at this path, sealed."""
        ...

    async def apply(self, definitions: Definitions, managed_by: str, now: Millis) -> Definitions:
        """Make these what `managed_by` defines: add, change, delete its own; the result is all that is
        defined now, by anyone, with revisions. A changed hook gets a new revision."""
        ...

    async def hook_revision(self, hook_id: str, revision: int) -> Hook | None:
        """The hook as it was when something was rendered with it."""
        ...

    async def prune(self, delivered_before: Millis, failed_before: Millis, limit: int) -> int:
        """Delete lanes at rest whose deliveries all ended before then, with all that belongs to them.

        At most `limit` rows of each kind. The result is how many of the most frequent kind went: when it is
        less than `limit`, nothing is left to delete.
        """
        ...

    async def sweep(self, now: Millis) -> int:
        """Mend lanes that wait without a head, and deliveries that are sent by nobody; how many there were,
        which should be none."""
        ...
