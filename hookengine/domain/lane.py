"""Lanes: the deliveries that must leave one after another, because they change the same thing outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery
from hookengine.domain.hook import LanePolicy
from hookengine.domain.struct import struct

Position = tuple[int, int, int]
"""(order of the action, rank, order of acceptance), compared left to right; (0, 0, order) if `ordered`."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """The unit of scheduling. `due_at` is the one field that says when it may be claimed: a lease moves it
    to the lease's end, so that an expired lease is found by the same index as work that is due.

    `waits_for` names what a head that is due waits for: a gate, room for its host or
    hook, or its turn among suspects.

    `scope` names whose numbers order the lane; None: the order in which actions were first accepted.
    `newest` is (number, first_seq, rank, seq) of the highest position ever accepted. `shown_id` was the
    last delivery known to have taken effect; doubts that end by `cleared_to` are answered.
    """

    id: int
    key: str
    policy: LanePolicy
    head_id: str | None = None
    due_at: Millis = 0
    waits_for: str | None = None
    token: int | None = None
    not_before: Millis = 0
    next_seq: int = 1
    scope: str | None = None
    newest: tuple[int | None, int, int, int] | None = None
    shown_id: str | None = None
    shown_digest: str | None = None
    cleared_to: Millis = 0
    doubt_until: Millis = 0

    def agree_on_order(self, scope: str | None) -> bool:
        """Numbers of different pipelines do not compare: the first foreign one ends ordering by number.

        Whether it does so now: two write the same thing.
        """
        if self.newest is None:
            self.scope = scope
            return False
        ends = self.scope is not None and self.scope != scope
        if ends:
            self.scope = None
        return ends

    def place(self, number: int | None, first_seq: int, rank: int, seq: int) -> Position:
        """First in, first out knows the order of acceptance only."""
        if self.policy is LanePolicy.ORDERED:
            return 0, 0, seq
        if self.scope is not None and number is not None:
            return number, rank, seq
        return first_seq, rank, seq

    def newest_place(self) -> Position:
        return self.place(*self.newest) if self.newest else (-1, -1, -1)


@struct()
class Wait:
    """Why a head that is due is not leased: `behind` names what it waits for; None: this node has no room,
    another may."""

    behind: str | None = None


class Finding(StrEnum):
    """What is to be done about what the target shows, beside what it answered."""

    TO_BE_CHECKED = "to be checked"  #: it is asked once everything has settled
    WRONG = "wrong"  #: it was asked, and shows something else


@struct()
class HookFacts:
    """What a lane must know of a hook. Deliveries accepted up to `off_at` are cancelled; -1: never off.

    `failing_since` is when the first of its failures in a row began, -1 while it works.
    """

    off_at: Millis = -1
    paused: bool = False
    failing_since: Millis = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a decision takes from outside: the time, how long doubts and leases last, what hooks are about.

    `admit` says whether a head may be leased now; asking it takes the room it gives.
    """

    now: Millis
    settle: Millis
    lease: Millis
    new_token: Callable[[], int]
    new_id: Callable[[], str]
    hooks: Mapping[str, HookFacts] = field(default_factory=dict)
    admit: Callable[[Delivery], Wait | None] = lambda head: None
