"""What a transaction asks its database, in the order in which it may ask.

Every step is a set: a group of fifty calls takes as many statements as a single one. The order is also the
order in which rows are locked - actions, lanes by id, gates by key - so that two transactions never wait for
each other. `Write` comes last and is the only one that writes deliveries and attempts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery
from hookengine.domain.gate import Gate
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Lane
from hookengine.domain.struct import struct
from hookengine.store.calls import ActionKey


class AttemptFacts(NamedTuple):
    delivery_id: str
    lane_id: int
    started_at: Millis
    closed_by: str | None
    outcome: str | None


class ActionFacts(NamedTuple):
    first_seq: int
    revision: int
    open_since: Millis | None
    ended_number: int | None


class Known(NamedTuple):
    """Events by key (digest, answer), attempts by token, and the lane (None: without) and status of deliveries."""

    events: Mapping[str, tuple[str, str]]
    attempts: Mapping[int, AttemptFacts]
    deliveries: Mapping[str, tuple[int | None, str]]


@struct(kw_only=False)
class Look:
    """Answer: Known. Locks nothing."""

    events: Collection[str] = ()
    tokens: Collection[int] = ()
    deliveries: Collection[str] = ()


class Original(NamedTuple):
    """A delivery with what it sent (None: not there any more), its lane and the pipeline of its action."""

    delivery: Delivery
    request: str | None
    lane_id: int | None
    policy: LanePolicy | None
    pipeline_id: int | None


@struct(kw_only=False)
class LoadOriginals:
    """Answer: {delivery id: Original} of those that exist. Locks nothing."""

    ids: Collection[str]


@struct(kw_only=False)
class LockActions:
    """Answer: {key: ActionFacts} of those that exist, locked."""

    keys: Collection[ActionKey]


class NewAction(NamedTuple):
    pipeline_id: int
    action_id: str
    revision: int
    context: str
    updated_at: Millis
    open_since: Millis | None
    ended_number: int | None


class MovedAction(NamedTuple):
    revision: int
    context: str
    updated_at: Millis
    open_since: Millis | None
    ended_number: int | None
    first_seq: int


@struct(kw_only=False)
class WriteActions:
    """Answer: {key: first_seq} of the new ones, which count up in the order given.

    Raises Raced when another transaction has made one of them meanwhile.
    """

    new: Sequence[NewAction]
    moved: Sequence[MovedAction]


class Lanes(NamedTuple):
    """`new` ones have their ids, but nobody else can know of them: they are written at the end, if at all."""

    known: Sequence[Lane]
    new: Sequence[Lane] = ()


@struct(kw_only=False)
class LockLanes:
    """Answer: Lanes, locked in the order of their ids; those of `keys` that are missing are made, or new."""

    keys: Mapping[str, LanePolicy]
    ids: Collection[int]


@struct(kw_only=False)
class LockDue:
    """Answer: list of Lane that may be claimed, due longest first, at most `limit`; those that another
    transaction has locked are passed over. `free_only`: so are those whose lease has expired."""

    now: Millis
    limit: int
    free_only: bool = False


@struct(kw_only=False)
class PutOff:
    """Answer: None. These lanes are due only then."""

    ids: Sequence[int]
    due_at: Millis


@struct(kw_only=False)
class WaitedFor:
    """Answer: {name of what lanes have been set aside for: whether only one may pass it, to see}.

    Hooks that are paused are left out, and gates that do not open before `now`.
    """

    now: Millis


@struct(kw_only=False)
class LockWaiting:
    """Answer: list of Lane that wait for each of these and are due, at most so many each."""

    limits: Mapping[str, int]
    now: Millis


WAITING = 3  # the head, the next one, and one more to know whether that is all


@struct(kw_only=False)
class LoadDeliveries:
    """Answer: list of (lane id, Delivery): those of `ids`, the `first` waiting ones of each lane in
    `waiting_in`, and those in doubt later than the given time of the lanes in `doubted_in`."""

    ids: Collection[str] = ()
    waiting_in: Collection[int] = ()
    doubted_in: Mapping[int, Millis] = field(default_factory=dict)
    first: int = WAITING


@struct(kw_only=False)
class LoadWaitingBesides:
    """Answer: list of (lane id, Delivery): in each lane the first waiting one whose hook is neither paused nor
    was switched off since it was accepted."""

    lanes: Collection[int]


@struct(kw_only=False)
class LoadHooks:
    """Answer: {hook id: HookFacts}."""

    ids: Collection[str]


@struct(kw_only=False)
class LockGates:
    """Answer: {key: Gate} of those that exist, locked in the order of their keys; those of `made` are made."""

    keys: Collection[str]
    made: Collection[str]


@struct(kw_only=False)
class LoadCaptures:
    """Answer: list of (lane id, action, name, value) of these lanes."""

    lanes: Sequence[int]


@struct(kw_only=False)
class LoadRequests:
    """Answer: {request id: RenderedRequest}."""

    ids: Collection[str]


class EventRow(NamedTuple):
    id: str
    type: str
    action_seq: int
    revision: int
    digest: str
    document: str
    answer: str
    accepted_at: Millis
    occurred_at: Millis


class SecretRow(NamedTuple):
    pipeline_id: int
    path: str
    sealed: str
    updated_at: Millis


class OpenedAttempt(NamedTuple):
    delivery_id: str
    number: int
    token: int
    node: str
    started_at: Millis


class ClosedAttempt(NamedTuple):
    outcome: str
    detail: str
    certainty: str
    verdict: str | None
    because: str | None
    next_at: Millis | None
    finished_at: Millis
    closed_by: str
    token: int


class LateResult(NamedTuple):
    outcome: str
    at: Millis
    token: int


class HookChange(NamedTuple):
    """`state` None leaves the state and its reason as they are."""

    id: str
    state: str | None
    because: str
    off_at: Millis | None
    failing_since: Millis


@dataclass(slots=True)
class Write:
    """Answer: None. Raises Raced when an event or a delivery is there already that was not when looked for."""

    events: list[EventRow] = field(default_factory=list)
    secrets: list[SecretRow] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    new_deliveries: dict[str, tuple[int | None, Delivery]] = field(default_factory=dict)
    changed_deliveries: dict[str, Delivery] = field(default_factory=dict)
    new_lanes: list[tuple[Any, ...]] = field(default_factory=list)  # key and policy, then as below
    lanes: list[tuple[Any, ...]] = field(default_factory=list)  # in the order of LANE_CHANGES, then the id
    opened: list[OpenedAttempt] = field(default_factory=list)
    closed: list[ClosedAttempt] = field(default_factory=list)
    late: list[LateResult] = field(default_factory=list)
    taken_back: list[int] = field(default_factory=list)
    hooks: list[HookChange] = field(default_factory=list)
    gates: dict[str, Gate] = field(default_factory=dict)
    captures: dict[tuple[int, int, str], str] = field(default_factory=dict)  # by lane, action and name
    now: Millis = 0


Step = (
    Look
    | LoadOriginals
    | LockActions
    | WriteActions
    | LockLanes
    | LockDue
    | PutOff
    | WaitedFor
    | LockWaiting
    | LoadDeliveries
    | LoadWaitingBesides
    | LoadHooks
    | LockGates
    | LoadCaptures
    | LoadRequests
    | Write
)
Answer = Any
"""Of the type its step names: a conversation is typed by hand."""
