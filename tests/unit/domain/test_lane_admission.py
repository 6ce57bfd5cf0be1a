"""Heads that are due but may not go: their lanes are set aside, others go first, newer ones free them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from hookengine.domain.attempt import Accept, Certainty, TryAgain
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import HookFacts, Lane, Terms, Wait
from hookengine.domain.lane_book import LaneBook
from tests.conftest import NOW, make_delivery, make_lane

SECOND = 1000
LEASE = 50 * SECOND
PAUSED = HookFacts(paused=True)
BEHIND_A_HOST = Wait(behind="host:target.example")


class Admission:
    """A lane at a door: `refuse` says why a head may not pass, `asked` who wanted to."""

    def __init__(self, policy: LanePolicy) -> None:
        self.lane: Lane = make_lane(policy)
        self.deliveries: dict[str, Delivery] = {}
        self.hooks: dict[str, HookFacts] = {}
        self.refuse: Callable[[Delivery], Wait | None] = lambda head: None
        self.asked: list[str] = []
        self.now = NOW
        self._tokens = count(1)

    def book(self) -> LaneBook:
        terms = Terms(
            now=self.now,
            settle=60 * SECOND,
            lease=LEASE,
            new_token=lambda: next(self._tokens),
            new_id=lambda: "repair",
            hooks=self.hooks,
            admit=self._admit,
        )
        book = LaneBook(self.lane, self.deliveries, terms)
        self.deliveries = book.deliveries
        return book

    def _admit(self, head: Delivery) -> Wait | None:
        self.asked.append(head.id)
        return self.refuse(head)

    def accept(self, delivery_id: str, **changes: object) -> None:
        self.book().accept(make_delivery(delivery_id, accepted_at=self.now, **changes), "pipeline:1")

    def lease(self) -> str | None:
        head = self.book().lease()
        return None if head is None else head.id

    def deliver(self) -> None:
        self.book().finish(Accept(because="200"), Certainty.APPLIED, self.now)


@pytest.fixture
def ordered() -> Admission:
    return Admission(LanePolicy.ORDERED)


@pytest.fixture
def latest() -> Admission:
    return Admission(LanePolicy.LATEST)


# What a refusal does to a lane


@pytest.mark.parametrize(
    ("wait", "waits_for", "due_at"),
    [
        (BEHIND_A_HOST, "host:target.example", NOW),
        (Wait(), None, NOW),
    ],
    ids=["behind something", "for room on another node"],
)
def test_a_head_that_is_not_admitted_waits(
    ordered: Admission, wait: Wait, waits_for: str | None, due_at: int
) -> None:
    ordered.accept("a")
    ordered.now += 9 * SECOND
    ordered.refuse = lambda head: wait

    leased = ordered.lease()

    lane, head = ordered.lane, ordered.deliveries["a"]
    assert leased is None
    assert (lane.waits_for, lane.due_at, lane.token, lane.head_id) == (waits_for, due_at, None, "a")
    assert (head.status, head.attempts) == (DeliveryStatus.QUEUED, 0)


def test_a_head_is_asked_about_once_and_leaves_nothing_to_write_down_if_refused(ordered: Admission) -> None:
    ordered.accept("a")
    ordered.refuse = lambda head: BEHIND_A_HOST
    book = ordered.book()

    book.lease()

    assert ordered.asked == ["a"]
    assert book.changed == {}


def test_a_lane_that_was_set_aside_goes_on_when_it_is_admitted(ordered: Admission) -> None:
    ordered.accept("a")
    ordered.refuse = lambda head: BEHIND_A_HOST
    ordered.lease()
    ordered.refuse = lambda head: None

    assert ordered.lease() == "a"
    assert (ordered.lane.waits_for, ordered.lane.due_at) == (None, NOW + LEASE)


def test_what_a_lane_waits_for_may_change(ordered: Admission) -> None:
    ordered.accept("a")
    waits = []

    for wait in (BEHIND_A_HOST, Wait(behind="account:x"), Wait()):
        ordered.refuse = lambda head, wait=wait: wait  # type: ignore[misc]
        ordered.lease()
        waits.append(ordered.lane.waits_for)

    assert waits == ["host:target.example", "account:x", None]


@pytest.mark.parametrize("hook", [HookFacts(off_at=NOW), PAUSED])
def test_nobody_is_asked_about_what_may_not_go_anyway(ordered: Admission, hook: HookFacts) -> None:
    ordered.accept("a")
    ordered.hooks["hook_1"] = hook

    assert ordered.lease() is None
    assert ordered.asked == []


# Paused hooks


def test_a_head_whose_hook_is_paused_lets_another_hook_of_its_lane_go_first(ordered: Admission) -> None:
    for delivery_id, hook_id in (("a", "paused"), ("b", "paused"), ("c", "other"), ("d", "other")):
        ordered.accept(delivery_id, hook_id=hook_id)
    ordered.hooks["paused"] = PAUSED

    first = ordered.lease()
    ordered.deliver()
    second = ordered.lease()

    assert [first, second] == ["c", "d"]
    assert ordered.asked == ["c", "d"]


def test_a_paused_hook_holds_a_lane_in_which_there_is_nobody_else(ordered: Admission) -> None:
    ordered.accept("a")
    ordered.accept("b")
    ordered.hooks["hook_1"] = PAUSED

    assert ordered.lease() is None
    assert (ordered.lane.head_id, ordered.lane.waits_for) == ("a", "hook:hook_1")


def test_when_its_hook_is_not_paused_any_more_the_oldest_goes_next(ordered: Admission) -> None:
    for delivery_id, hook_id in (("a", "paused"), ("b", "other"), ("c", "other")):
        ordered.accept(delivery_id, hook_id=hook_id)
    ordered.hooks["paused"] = PAUSED
    ordered.lease()
    ordered.hooks.clear()
    ordered.deliver()

    assert ordered.lease() == "a"


def test_what_a_hook_owes_that_was_switched_off_does_not_go_before_a_paused_one(ordered: Admission) -> None:
    for delivery_id, hook_id in (("a", "paused"), ("b", "off"), ("c", "other")):
        ordered.accept(delivery_id, hook_id=hook_id)
    ordered.hooks |= {"paused": PAUSED, "off": HookFacts(off_at=NOW)}

    first = ordered.lease()
    ordered.deliver()

    assert first == "c"
    assert ordered.lease() is None
    assert ordered.lane.waits_for == "hook:paused"


def test_one_that_went_before_a_paused_head_and_must_try_again_stays_the_head(ordered: Admission) -> None:
    ordered.accept("a", hook_id="paused")
    ordered.accept("b", hook_id="other")
    ordered.hooks["paused"] = PAUSED
    ordered.lease()
    ordered.book().finish(TryAgain(at=NOW + SECOND, because="later"), Certainty.UNSENT, NOW)
    ordered.now += SECOND

    assert ordered.lease() == "b"


def test_the_newest_state_waits_while_its_hook_is_paused(latest: Admission) -> None:
    latest.accept("started", hook_id="other")
    latest.accept("finished", hook_id="paused", rank=Rank.FINISHED)
    latest.hooks["paused"] = PAUSED

    assert latest.lease() is None
    assert (latest.lane.head_id, latest.lane.waits_for) == ("finished", "hook:paused")
    assert latest.deliveries["started"].status is DeliveryStatus.SUPERSEDED


# What frees a lane that was set aside


def _set_aside(lane: Admission) -> None:
    lane.accept("a", rank=Rank.STARTED)
    lane.refuse = lambda head: BEHIND_A_HOST
    lane.lease()
    assert lane.lane.waits_for is not None
    lane.now += 5 * SECOND


def test_a_newer_state_frees_the_lane_of_the_one_it_supersedes(latest: Admission) -> None:
    _set_aside(latest)

    latest.accept("b", rank=Rank.FINISHED)

    assert (latest.lane.head_id, latest.lane.waits_for, latest.lane.due_at) == ("b", None, latest.now)


def test_a_newer_state_does_not_go_before_a_pause_its_target_asked_for(latest: Admission) -> None:
    _set_aside(latest)
    latest.lane.not_before = NOW + 60 * SECOND

    latest.accept("b", rank=Rank.FINISHED)

    assert (latest.lane.waits_for, latest.lane.due_at) == (None, NOW + 60 * SECOND)


def test_a_late_state_frees_nothing(latest: Admission) -> None:
    _set_aside(latest)

    latest.accept("late", rank=Rank.QUEUED)

    assert (latest.lane.head_id, latest.lane.waits_for) == ("a", "host:target.example")


def test_another_arrival_leaves_an_ordered_lane_where_it_was_set_aside(ordered: Admission) -> None:
    _set_aside(ordered)

    ordered.accept("b")

    assert (ordered.lane.head_id, ordered.lane.waits_for, ordered.lane.due_at) == (
        "a",
        "host:target.example",
        NOW,
    )


def test_cancelling_the_head_frees_the_lane_for_the_next_one(ordered: Admission) -> None:
    _set_aside(ordered)
    ordered.accept("b")

    ordered.book().cancel(ordered.deliveries["a"], "a person said so")

    assert (ordered.lane.head_id, ordered.lane.waits_for, ordered.lane.due_at) == ("b", None, ordered.now)


def test_cancelling_the_last_one_leaves_nothing_that_waits(ordered: Admission) -> None:
    _set_aside(ordered)

    ordered.book().cancel(ordered.deliveries["a"], "a person said so")

    assert (ordered.lane.head_id, ordered.lane.waits_for) == (None, None)
