"""What arrives in a lane, and in which order it counts."""

from __future__ import annotations

import pytest

from hookengine.domain.attempt import Certainty, GiveUp, TryAgain
from hookengine.domain.event import Rank
from hookengine.domain.hook import LanePolicy
from tests.conftest import NOW
from tests.unit.domain.one_lane import (
    DELIVERED,
    FAILED,
    HOUR,
    QUEUED,
    REFUSED,
    RETRYING,
    SECOND,
    SENDING,
    SUPERSEDED,
    OneLane,
)

# Arrivals


def test_a_late_arrival_is_superseded_and_leaves_the_lane_alone(latest: OneLane) -> None:
    latest.accept("done", rank=Rank.FINISHED)
    head, newest = latest.lane.head_id, latest.lane.newest

    latest.accept("late", rank=Rank.STARTED)

    assert latest.statuses == {"done": QUEUED, "late": SUPERSEDED}
    assert latest.deliveries["late"].ended_at == NOW
    assert (latest.lane.head_id, latest.lane.newest) == (head, newest)


def test_an_arrival_is_late_against_what_was_accepted_even_if_that_has_failed(latest: OneLane) -> None:
    latest.accept("done", rank=Rank.FINISHED)
    latest.lease()
    latest.finish(REFUSED)

    latest.accept("late", rank=Rank.STARTED)

    assert latest.statuses == {"done": FAILED, "late": SUPERSEDED}
    assert latest.lane.head_id is None


def test_a_later_action_goes_before_a_more_finished_earlier_one(latest: OneLane) -> None:
    latest.accept("first done", number=1, rank=Rank.FINISHED)

    latest.accept("second queued", number=2, rank=Rank.QUEUED)

    assert latest.statuses == {"first done": SUPERSEDED, "second queued": QUEUED}


def test_of_equal_positions_the_one_accepted_last_wins(latest: OneLane) -> None:
    latest.accept("one")

    latest.accept("two")

    assert latest.statuses == {"one": SUPERSEDED, "two": QUEUED}
    assert latest.deliveries["one"].superseded_by == "two"
    assert latest.lane.head_id == "two"


def test_an_arrival_waits_for_the_one_in_flight_and_never_ends_it(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    token = latest.lane.token

    latest.accept("two", rank=Rank.FINISHED)

    assert latest.statuses == {"one": SENDING, "two": QUEUED}
    assert (latest.lane.head_id, latest.lane.token) == ("one", token)
    assert latest.lease() is None


def test_only_one_waits_behind_the_one_in_flight(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()

    latest.accept("two")
    latest.accept("three")

    assert latest.statuses == {"one": SENDING, "two": SUPERSEDED, "three": QUEUED}


def test_a_newer_one_goes_at_once_in_place_of_one_in_back_off(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.finish(TryAgain(at=NOW + HOUR, because="503"))

    latest.accept("two")

    assert latest.statuses == {"one": SUPERSEDED, "two": QUEUED}
    assert latest.lane.due_at == NOW


def test_a_newer_one_does_not_go_before_the_pause_the_target_asked_for(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    until = NOW + 20 * SECOND
    latest.finish(TryAgain(at=until, because="429", pause_until=until))

    latest.accept("two")

    assert latest.lane.due_at == until
    assert latest.lease() is None
    latest.pass_time(20 * SECOND)
    assert latest.lease() is latest.deliveries["two"]


@pytest.mark.parametrize("policy", [LanePolicy.LATEST, LanePolicy.ORDERED])
def test_a_pause_outlasts_the_delivery_that_gave_up(policy: LanePolicy) -> None:
    lane = OneLane(policy)
    lane.accept("one")
    lane.lease()
    lane.accept("two")
    until = NOW + 20 * SECOND

    lane.finish(GiveUp(because="429; out of time", pause_until=until))

    assert lane.statuses == {"one": FAILED, "two": QUEUED}
    assert (lane.lane.not_before, lane.lane.due_at) == (until, until)
    assert lane.lease() is None


def test_a_shorter_pause_does_not_end_a_longer_one(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.finish(TryAgain(at=NOW, because="429", pause_until=NOW + HOUR))
    latest.lane.due_at = NOW
    latest.lease()

    latest.finish(TryAgain(at=NOW, because="429", pause_until=NOW + SECOND))

    assert latest.lane.not_before == NOW + HOUR
    assert latest.lane.due_at == NOW + HOUR


def test_an_ordered_lane_gives_its_deliveries_out_in_the_order_of_acceptance(ordered: OneLane) -> None:
    ordered.accept("one", number=9, rank=Rank.FINISHED)
    ordered.accept("two", number=1)
    ordered.accept("three", number=5)

    sent = []
    for _ in range(3):
        head = ordered.lease()
        assert head is not None
        sent.append(head.id)
        ordered.finish(DELIVERED, Certainty.APPLIED)

    assert sent == ["one", "two", "three"]
    assert ordered.lane.head_id is None


def test_positions_in_an_ordered_lane_never_fall(ordered: OneLane) -> None:
    arrivals = [
        ordered.accept("one", number=9, rank=Rank.FINISHED),
        ordered.accept("two", number=1, rank=Rank.QUEUED),
        ordered.accept("foreign", number=5, scope="pipeline:2", first_seq=7),
        ordered.accept("numberless", number=None, scope=None, first_seq=3),
    ]

    positions = [ordered.book().position(arrival) for arrival in arrivals]

    assert positions == [(0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 0, 4)]


def test_a_head_in_back_off_holds_an_ordered_lane(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.lease()
    ordered.finish(TryAgain(at=NOW + 5 * SECOND, because="503"))

    ordered.accept("two")

    assert ordered.statuses == {"one": RETRYING, "two": QUEUED}
    assert (ordered.lane.head_id, ordered.lane.due_at) == ("one", NOW + 5 * SECOND)


def test_after_a_failure_an_ordered_lane_goes_on_with_the_next(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.accept("two")
    ordered.lease()

    ordered.finish(REFUSED)

    assert ordered.statuses == {"one": FAILED, "two": QUEUED}
    assert ordered.lease() is ordered.deliveries["two"]


# The order of actions


def test_numbers_order_a_lane_while_all_come_from_one_pipeline(latest: OneLane) -> None:
    latest.accept("second", number=2, first_seq=1)

    latest.accept("first", number=1, first_seq=2)

    assert latest.statuses == {"second": QUEUED, "first": SUPERSEDED}


@pytest.mark.parametrize("foreign", ["pipeline:2", None])
def test_a_foreign_number_or_none_turns_a_lane_to_the_order_of_first_acceptance(
    latest: OneLane, foreign: str | None
) -> None:
    latest.accept("ours", number=50, first_seq=1)

    latest.accept("theirs", scope=foreign, number=None if foreign is None else 3, first_seq=2)

    assert latest.statuses == {"ours": SUPERSEDED, "theirs": QUEUED}
    assert latest.lane.scope is None


def test_a_lane_that_left_the_numbers_never_returns_to_them(latest: OneLane) -> None:
    latest.accept("ours", number=50, first_seq=1)
    latest.accept("theirs", scope="pipeline:2", number=3, first_seq=2)

    latest.accept("ours again", number=1, first_seq=3)

    assert latest.statuses["ours again"] is QUEUED
    assert latest.lane.scope is None


def test_a_lane_that_began_without_numbers_stays_without(latest: OneLane) -> None:
    latest.accept("plain", scope=None, number=None, first_seq=5)

    latest.accept("numbered", number=1_000, first_seq=4)

    assert latest.statuses == {"plain": QUEUED, "numbered": SUPERSEDED}
