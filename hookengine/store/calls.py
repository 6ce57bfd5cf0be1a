"""What is handed to a store, and what comes back, of the calls that run all day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from hookengine.domain.attempt import Certainty, Outcome, Verdict
from hookengine.domain.capture import Captured
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import CHECK
from hookengine.domain.event import Event, Rank, key_of
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Finding, Wait
from hookengine.domain.request import Confirming, RenderedRequest
from hookengine.domain.retry import DAY
from hookengine.domain.struct import struct

ActionKey = tuple[int, str]
"""(pipeline id, the action's id as text)."""


@struct()
class OwedDelivery:
    """A delivery an event is about to owe. Without a request it is born failed, because of `unrenderable`.

    `part` and `provides` are those of a `Delivery`.
    """

    id: str
    hook_id: str
    hook_revision: int
    lane_key: str = ""
    policy: LanePolicy = LanePolicy.NONE
    request: RenderedRequest | None = None
    unrenderable: str = ""
    host: str = ""
    account: str = ""
    rate: str = ""
    part: int = 0
    provides: str = ""


@struct()
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
    def key(self) -> str:
        return key_of(self.pipeline_id, self.id)

    @property
    def action(self) -> ActionKey:
        return self.pipeline_id, str(self.event.action_id)


@struct()
class Remembered:
    """`events` maps known keys to (digest, answer), `actions` known actions to (revision, context)."""

    events: Mapping[str, tuple[str, str]]
    actions: Mapping[ActionKey, tuple[int, str]]


@struct()
class OwedReplay:
    """Delivery `replay_of` is to be sent once more, as delivery `id`: the same request, or another one with its
    lane, if it was rendered `anew`."""

    id: str
    replay_of: str
    anew: OwedDelivery | None = None


class Seat(NamedTuple):
    """What a lease takes up at a node. `suspect`: nodes died while they were sending it."""

    host: str
    hook_id: str
    suspect: bool


class Room(Protocol):
    """What the asking node can take on. A store may ask it from another thread than the node's own."""

    @property
    def free(self) -> int:
        """Leases it can still take, whatever they are for."""
        ...

    def take(self, seat: Seat) -> Wait | None:
        """Take this one on: None, or why not."""
        ...

    def give(self, seat: Seat) -> None:
        """Take it back: its transaction failed."""
        ...

    def for_what_waits(self, key: str) -> int:
        """How many of the lanes that wait for `key` it could take."""
        ...


@struct()
class LeaseTerms:
    """What the asking node, called `node`, has room for, how long its leases last, how long a doubt takes to
    settle, and how long a hook may do nothing but fail before it is paused."""

    room: Room
    lease: Millis
    settle: Millis
    patience: Millis = 5 * DAY
    node: str = ""


@struct()
class Leased:
    """A delivery this node holds the lease for, with its attempt written: it must be sent or released.

    `captured` is what its lane and action know, if its request uses any of it.
    """

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
    seat: Seat
    part: int = 0
    captured: Captured = field(default_factory=dict)

    @property
    def asks(self) -> Confirming | None:
        """What is asked in the place of telling something."""
        return self.request.confirming if self.part == CHECK else None


@struct()
class Report:
    """How an attempt ended and what follows. `host_failed`: nothing sensible was heard from the host; None if
    the attempt says nothing about it. `captured` is what the answer told to be kept."""

    token: int
    outcome: Outcome
    certainty: Certainty
    verdict: Verdict
    finished_at: Millis
    host_failed: bool | None = None
    captured: Captured = field(default_factory=dict)
    finding: Finding | None = None


@struct()
class Ending:
    """A delivery that ended in this transaction without being sent by it: superseded or cancelled on the way."""

    delivery_id: str
    status: str
    because: str


class NoticeKind(StrEnum):
    LANE_CONTESTED = "lane.contested"  #: numbers of another pipeline came into it: two write the same thing
    CIRCUIT_OPENED = "circuit.opened"  #: a host failed again and again
    CIRCUIT_CLOSED = "circuit.closed"  #: it answers again
    HOOK_PAUSED = "hook.paused"  #: it did nothing but fail for long
    HOOK_GONE = "hook.gone"  #: its target said that it has no place any more


@struct()
class Notice:
    """Something a person wants to know that a transaction brought about; `subject` is a key or an id."""

    kind: NoticeKind
    subject: str
    because: str = ""


@struct()
class Accepted:
    """`fresh` is False for an event that was known: its answer is the one given before."""

    answer: str
    fresh: bool


@struct()
class Intake:
    """What came of accepting: an answer per event in order, the leases granted, and what ended unsent."""

    accepted: tuple[Accepted, ...]
    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()
    notices: tuple[Notice, ...] = ()


@struct()
class Replayed:
    """`fresh` is False if the replay of this id was there already. `endings`: what it superseded."""

    fresh: bool = True
    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()
    notices: tuple[Notice, ...] = ()


@struct()
class Claimed:
    """`stuck`: lanes that could not be claimed because of a mistake in their rows; each waits for an hour.

    `more`: others are due that were not looked at, or left. `waiting_for`: what lanes have been set aside for.
    """

    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()
    notices: tuple[Notice, ...] = ()
    rescued: tuple[str, ...] = ()  # deliveries whose attempt ended unknown
    stuck: tuple[int, ...] = ()
    more: bool = False
    waiting_for: frozenset[str] = frozenset()


@struct()
class Finished:
    """`status` and `because` are the delivery's now. `late`: the lease was gone, only the attempt was written.
    `waits`: the lane has a next one that was not leased, whether it is due or not."""

    status: str = ""
    because: str = ""
    late: bool = False
    following: Leased | None = None
    endings: tuple[Ending, ...] = ()
    notices: tuple[Notice, ...] = ()
    repair_id: str | None = None
    waits: bool = False


def leases_of(result: Any) -> tuple[Leased, ...]:
    """What a call was granted, going by what came of it."""
    if isinstance(result, Intake | Claimed | Replayed):
        return result.leased
    return (result.following,) if isinstance(result, Finished) and result.following is not None else ()
