"""Leases: handed out, given back, ended; and what their results come to."""

from __future__ import annotations

import pytest

from hookengine.domain.attempt import Certainty, TryAgain, Verdict
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.lane_book import POISON_STRIKES
from tests.conftest import NOW
from tests.unit.domain.one_lane import (
    CANCELLED,
    DAY,
    DELIVERED,
    ENDED_WELL,
    FAILED,
    HOUR,
    LEASE,
    QUEUED,
    REFUSED,
    RETRYING,
    SECOND,
    SENDING,
    SUPERSEDED,
    OneLane,
)

# Leases


def test_a_lease_moves_the_lane_to_the_leases_end_and_counts_the_attempt(latest: OneLane) -> None:
    latest.accept("one")

    head = latest.lease()

    assert head is not None
    assert (head.status, head.attempts) == (SENDING, 1)
    assert (latest.lane.token, latest.lane.due_at) == (1, NOW + LEASE)


def test_a_leased_lane_gives_nothing_out_even_after_its_lease_ended(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.pass_time(LEASE + SECOND)

    assert latest.lease() is None


def test_nothing_is_given_out_before_it_is_due(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.finish(TryAgain(at=NOW + 5 * SECOND, because="503"))

    assert latest.lease() is None
    latest.pass_time(5 * SECOND)
    assert latest.lease() is latest.deliveries["one"]
    assert latest.deliveries["one"].attempts == 2


@pytest.mark.parametrize("decision", ["rescue", "release", "finish"])
def test_a_lane_without_a_lease_takes_no_result(latest: OneLane, decision: str) -> None:
    latest.accept("one")
    book = latest.book()
    decisions = {
        "rescue": book.rescue,
        "release": book.release,
        "finish": lambda: book.finish(DELIVERED, Certainty.APPLIED, NOW),
    }

    with pytest.raises(ValueError, match="has no lease"):
        decisions[decision]()


# Results


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (DELIVERED, ENDED_WELL),
        (REFUSED, FAILED),
        (TryAgain(at=NOW + SECOND, because="503"), RETRYING),
    ],
)
def test_a_verdict_decides_what_becomes_of_the_head(
    latest: OneLane, verdict: Verdict, status: DeliveryStatus
) -> None:
    latest.accept("one")
    latest.lease()

    latest.finish(verdict)

    assert latest.statuses == {"one": status}
    assert latest.deliveries["one"].because == verdict.because
    assert latest.lane.token is None


def test_one_that_should_be_tried_again_is_superseded_while_a_newer_one_waits(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")

    latest.finish(TryAgain(at=NOW + SECOND, because="503"))

    assert latest.statuses == {"one": SUPERSEDED, "two": QUEUED}
    assert latest.deliveries["one"].superseded_by == "two"
    assert (latest.lane.head_id, latest.lane.due_at) == ("two", NOW)


def test_after_the_newest_gave_up_nothing_older_comes_back(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.finish(TryAgain(at=NOW + SECOND, because="503"))
    latest.accept("two")
    latest.lease()

    latest.finish(REFUSED)

    assert latest.statuses == {"one": SUPERSEDED, "two": FAILED}
    assert latest.lane.head_id is None


# Leases given back, and leases that ended


def test_a_released_attempt_leaves_no_trace_and_the_delivery_is_due_again(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.pass_time(SECOND)

    latest.book().release()

    assert latest.statuses == {"one": QUEUED}
    assert latest.deliveries["one"].attempts == 0
    assert (latest.lane.token, latest.lane.due_at) == (None, latest.now)


def test_a_released_second_attempt_goes_back_to_retrying(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.finish(TryAgain(at=NOW, because="503"))
    latest.lease()

    latest.book().release()

    assert latest.statuses == {"one": RETRYING}
    assert latest.deliveries["one"].attempts == 1


def test_a_released_one_is_superseded_while_a_newer_one_waits(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")

    latest.book().release()

    assert latest.statuses == {"one": SUPERSEDED, "two": QUEUED}
    assert latest.lane.head_id == "two"


def test_a_rescued_delivery_is_tried_again_at_once(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.pass_time(LEASE)

    latest.book().rescue()

    assert latest.statuses == {"one": RETRYING}
    assert latest.deliveries["one"].strikes == 1
    assert latest.lease() is latest.deliveries["one"]


def test_a_rescued_delivery_is_superseded_while_a_newer_one_waits(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.pass_time(LEASE)

    latest.book().rescue()

    assert latest.statuses == {"one": SUPERSEDED, "two": QUEUED}
    assert latest.lease() is latest.deliveries["two"]


def _die(lane: OneLane, times: int) -> None:
    for _ in range(times):
        assert lane.lease() is not None
        lane.pass_time(LEASE)
        lane.book().rescue()


def test_a_delivery_during_which_the_node_dies_three_times_is_given_up(latest: OneLane) -> None:
    latest.accept("one", rank=Rank.STARTED)

    _die(latest, POISON_STRIKES - 1)
    before = latest.statuses["one"]
    _die(latest, 1)

    assert before is RETRYING
    assert latest.statuses == {"one": FAILED}
    assert latest.deliveries["one"].because == "the node died 3 times while sending it"


def test_a_final_state_during_which_the_node_dies_goes_on_slowly(latest: OneLane) -> None:
    latest.accept("one", rank=Rank.FINISHED)

    _die(latest, POISON_STRIKES)

    assert latest.statuses == {"one": RETRYING}
    assert latest.lane.due_at == latest.now + HOUR


def test_a_final_state_during_which_the_node_dies_is_given_up_after_three_days(latest: OneLane) -> None:
    latest.accept("one", rank=Rank.FINISHED, accepted_at=NOW)
    _die(latest, POISON_STRIKES)

    while latest.now < NOW + 3 * DAY - LEASE:
        last = latest.statuses["one"]
        latest.now = max(latest.lane.due_at, latest.now)
        _die(latest, 1)

    assert last is RETRYING
    assert latest.statuses == {"one": FAILED}
    assert latest.deliveries["one"].because.startswith("the node died")
    assert latest.deliveries["one"].attempts > 70
    assert latest.lane.head_id is None


def test_any_result_takes_the_strikes_away(latest: OneLane) -> None:
    latest.accept("one")
    _die(latest, POISON_STRIKES - 1)
    latest.lease()
    latest.finish(TryAgain(at=latest.now, because="503"))

    _die(latest, POISON_STRIKES - 1)

    assert latest.statuses == {"one": RETRYING}


def test_behind_a_poisonous_delivery_an_ordered_lane_goes_on(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.accept("two")

    _die(ordered, POISON_STRIKES)

    assert ordered.statuses == {"one": FAILED, "two": QUEUED}
    assert ordered.lane.head_id == "two"


def test_a_cancelled_delivery_stays_cancelled_though_its_node_died_three_times(latest: OneLane) -> None:
    latest.accept("one")
    _die(latest, POISON_STRIKES - 1)
    latest.lease()
    latest.book().cancel(latest.deliveries["one"], "a person said so")
    latest.pass_time(LEASE)

    latest.book().rescue()

    assert latest.statuses == {"one": CANCELLED}
