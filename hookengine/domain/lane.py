"""Lanes: the deliveries that must leave one after another, because they change the same thing outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hookengine.domain.clock import Millis
from hookengine.domain.hook import LanePolicy

Position = tuple[int, int, int]
"""(order of the action, rank, order of acceptance), compared left to right; (0, 0, order) if `ordered`."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """The unit of scheduling. `due_at` is the one field that says when it may be claimed: a lease moves it
    to the lease's end, so that an expired lease is found by the same index as work that is due.

    `scope` names whose numbers order the lane; None: the order in which actions were first accepted.
    `newest` is (number, first_seq, rank, seq) of the highest position ever accepted. `shown_id` was the
    last delivery known to have taken effect; doubts that end by `cleared_to` are answered.
    """

    id: int
    key: str
    policy: LanePolicy
    head_id: str | None = None
    due_at: Millis = 0
    token: int | None = None
    not_before: Millis = 0
    next_seq: int = 1
    scope: str | None = None
    newest: tuple[int | None, int, int, int] | None = None
    shown_id: str | None = None
    shown_digest: str | None = None
    cleared_to: Millis = 0
    doubt_until: Millis = 0

    def agree_on_order(self, scope: str | None) -> None:
        """Numbers of different pipelines do not compare: the first foreign one ends ordering by number."""
        if self.newest is None:
            self.scope = scope
        elif self.scope != scope:
            self.scope = None

    def place(self, number: int | None, first_seq: int, rank: int, seq: int) -> Position:
        """First in, first out knows the order of acceptance only."""
        if self.policy is LanePolicy.ORDERED:
            return 0, 0, seq
        if self.scope is not None and number is not None:
            return number, rank, seq
        return first_seq, rank, seq

    def newest_place(self) -> Position:
        return self.place(*self.newest) if self.newest else (-1, -1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a decision takes from outside: the time, how long doubts and leases last, which hooks are off.

    `hooks_off` maps a hook to the moment it was switched off: deliveries accepted before it are cancelled.
    """

    now: Millis
    settle: Millis
    lease: Millis
    new_token: Callable[[], int]
    new_id: Callable[[], str]
    hooks_off: Mapping[str, Millis] = field(default_factory=dict)
