"""What a person ends, and what ends with its hook."""

from __future__ import annotations

import pytest

from hookengine.domain.attempt import TryAgain, Verdict
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.lane import HookFacts
from tests.conftest import NOW
from tests.unit.domain.one_lane import (
    CANCELLED,
    DELIVERED,
    ENDED_WELL,
    FAILED,
    QUEUED,
    REFUSED,
    SECOND,
    SENDING,
    SUPERSEDED,
    OneLane,
)

# Cancelling, and switching off


def test_cancelling_the_head_lets_the_next_one_go(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.accept("two")

    ordered.book().cancel(ordered.deliveries["one"], "a person said so")

    assert ordered.statuses == {"one": CANCELLED, "two": QUEUED}
    assert ordered.lane.head_id == "two"


def test_cancelling_what_is_not_the_head_leaves_the_head(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.accept("two")

    ordered.book().cancel(ordered.deliveries["two"], "a person said so")

    assert ordered.statuses == {"one": QUEUED, "two": CANCELLED}
    assert ordered.lane.head_id == "one"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (DELIVERED, ENDED_WELL),
        (REFUSED, FAILED),
        (TryAgain(at=NOW + SECOND, because="503"), CANCELLED),
    ],
)
def test_cancelling_one_in_flight_only_asks(
    latest: OneLane, verdict: Verdict, status: DeliveryStatus
) -> None:
    latest.accept("one")
    latest.lease()

    latest.book().cancel(latest.deliveries["one"], "a person said so")
    meanwhile = latest.statuses["one"]
    latest.finish(verdict)

    assert meanwhile is SENDING
    assert latest.statuses == {"one": status}


def test_a_cancelled_one_that_is_released_is_cancelled(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.book().cancel(latest.deliveries["one"], "a person said so")

    latest.book().release()

    assert latest.statuses == {"one": CANCELLED}
    assert latest.lane.head_id is None


def test_cancelling_what_has_ended_changes_nothing(latest: OneLane) -> None:
    latest.accept("one")
    latest.deliver()

    latest.book().cancel(latest.deliveries["one"], "a person said so")

    assert latest.statuses == {"one": ENDED_WELL}


def test_cancelling_what_has_ended_leaves_nothing_to_write_down(latest: OneLane) -> None:
    latest.accept("one")
    latest.deliver()
    book = latest.book()

    book.cancel(latest.deliveries["one"], "a person said so")

    assert book.changed == {}


def test_a_cancelled_newest_does_not_bring_a_late_older_one_to_life(latest: OneLane) -> None:
    latest.accept("done", rank=Rank.FINISHED)
    latest.book().cancel(latest.deliveries["done"], "a person said so")

    latest.accept("late", rank=Rank.STARTED)

    assert latest.statuses == {"done": CANCELLED, "late": SUPERSEDED}


def test_what_a_hook_owes_is_cancelled_once_it_is_off_and_other_hooks_go_on(ordered: OneLane) -> None:
    ordered.accept("one", hook_id="off")
    ordered.accept("two", hook_id="off")
    ordered.accept("three", hook_id="on")
    ordered.hooks["off"] = HookFacts(off_at=ordered.now)

    head = ordered.lease()

    assert head is ordered.deliveries["three"]
    assert ordered.statuses == {"one": CANCELLED, "two": CANCELLED, "three": SENDING}


def test_what_is_accepted_after_its_hook_was_switched_off_is_not_cancelled(latest: OneLane) -> None:
    latest.hooks["hook_1"] = HookFacts(off_at=latest.now)
    latest.pass_time(1)

    latest.accept("one")

    assert latest.lease() is latest.deliveries["one"]


def test_one_in_flight_whose_hook_was_switched_off_is_not_tried_again(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.hooks["hook_1"] = HookFacts(off_at=latest.now)

    latest.finish(TryAgain(at=latest.now + SECOND, because="503"))

    assert latest.statuses == {"one": CANCELLED}
    assert latest.deliveries["one"].because == "its hook was switched off"


def test_a_head_is_not_skipped_before_the_one_after_it_is_known(ordered: OneLane) -> None:
    ordered.accept("one", hook_id="off")
    ordered.accept("two", hook_id="on")
    ordered.hooks["off"] = HookFacts(off_at=ordered.now)
    unknown = ordered.deliveries.pop("two")

    first = ordered.book(complete=False).lease()
    ordered.deliveries["two"] = unknown
    second = ordered.book().lease()

    assert first is None
    assert second is unknown
    assert ordered.statuses == {"one": CANCELLED, "two": SENDING}
