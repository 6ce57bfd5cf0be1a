"""What a target shows already, and what is sent once more because nobody knows."""

from __future__ import annotations

import pytest

from hookengine.domain.attempt import Certainty, GiveUp, TryAgain
from hookengine.domain.delivery import Delivery
from hookengine.domain.event import Rank
from hookengine.domain.lane import HookFacts
from hookengine.domain.lane_book import POISON_STRIKES
from tests.conftest import NOW, make_delivery
from tests.unit.domain.one_lane import (
    CANCELLED,
    DELIVERED,
    ENDED_WELL,
    FAILED,
    LEASE,
    REFUSED,
    SECOND,
    SETTLE,
    SUPERSEDED,
    OneLane,
)

# What the target already shows


def test_what_the_target_already_shows_is_not_sent_again(latest: OneLane) -> None:
    latest.accept("one", digest="pending")
    latest.deliver()

    latest.accept("two", digest="pending")

    assert latest.lease() is None
    assert latest.statuses == {"one": ENDED_WELL, "two": SUPERSEDED}
    assert latest.deliveries["two"].because.startswith("unchanged")
    assert (latest.lane.head_id, latest.lane.shown_id) == (None, "two")


def test_a_replay_is_sent_even_if_it_looks_the_same(latest: OneLane) -> None:
    latest.accept("one", digest="pending")
    latest.deliver()

    latest.accept("again", digest="pending", replay_of="one")

    assert latest.lease() is latest.deliveries["again"]


def test_an_ordered_lane_sends_what_looks_the_same(ordered: OneLane) -> None:
    ordered.accept("one", digest="pending")
    ordered.deliver()

    ordered.accept("two", digest="pending")

    assert ordered.lease() is ordered.deliveries["two"]


def test_after_a_doubtful_success_what_looks_the_same_is_sent(latest: OneLane) -> None:
    latest.accept("one", digest="pending")
    latest.lease()
    latest.finish(DELIVERED, Certainty.DOUBTFUL)

    latest.accept("two", digest="pending")

    assert latest.lease() is latest.deliveries["two"]


def test_after_a_doubt_about_another_state_what_looks_the_same_is_sent(latest: OneLane) -> None:
    latest.accept("one", digest="pending")
    latest.deliver()
    latest.accept("two", digest="success")
    latest.lease()
    latest.finish(REFUSED, Certainty.DOUBTFUL)

    latest.accept("three", digest="pending")

    assert latest.lease() is latest.deliveries["three"]


# Doubt and repair


def _doubt_then_newer(lane: OneLane) -> None:
    """`one` timed out, `two` was taken: the target may yet come to show `one`."""
    lane.accept("one", digest="pending")
    lane.lease()
    lane.accept("two", digest="success")
    lane.time_out()
    lane.deliver()


def test_without_a_doubt_nothing_is_repaired(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.finish(TryAgain(at=NOW + SECOND, because="409"), Certainty.REFUSED)

    latest.deliver()

    assert latest.repairs == []
    assert latest.lane.head_id is None


def test_the_newest_is_sent_once_more_after_the_doubt_about_an_older_one_settled(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    (repair,) = latest.repairs
    too_early = latest.lease()
    latest.now = NOW + SETTLE

    sent = latest.lease()

    assert too_early is None
    assert sent is repair
    assert (repair.repair_of, repair.digest, repair.request_id) == ("two", "success", "two")
    assert latest.book().position(repair) == latest.book().position(latest.deliveries["two"])


def test_a_repair_begins_a_life_of_its_own(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two", replay_of="zero")
    latest.time_out()
    latest.lease()
    shown = latest.deliveries["two"]
    latest.book().cancel(shown, "a person said so")
    shown.doubt_until = NOW

    latest.finish(DELIVERED, Certainty.APPLIED)
    (repair,) = latest.repairs

    assert repair == make_delivery(
        repair.id,
        event_key=shown.event_key,
        request_id=shown.request_id,
        digest=shown.digest,
        seq=shown.seq,
        repair_of="two",
        accepted_at=latest.now,
    )


def test_a_repair_does_not_inherit_strikes(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    latest.book().cancel(latest.repairs[0], "a person said so")
    latest.deliveries["two"].strikes = POISON_STRIKES - 1

    latest.book().late(latest.deliveries["one"], Certainty.DOUBTFUL)

    assert [repair.strikes for repair in latest.repairs] == [0, 0]


def test_doubts_open_together_share_one_repair_after_the_last_of_them(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.time_out()
    latest.lease()
    latest.accept("three")
    latest.pass_time(10 * SECOND)
    latest.time_out()

    latest.deliver()

    assert [repair.repair_of for repair in latest.repairs] == ["three"]
    assert latest.lane.due_at == NOW + 10 * SECOND + SETTLE


def test_a_repair_that_fails_is_not_repeated(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    latest.now = NOW + SETTLE
    latest.lease()

    latest.finish(REFUSED, Certainty.REFUSED)

    assert [repair.status for repair in latest.repairs] == [FAILED]
    assert latest.lane.head_id is None


def test_a_repair_that_is_cancelled_is_not_repeated(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    (repair,) = latest.repairs

    latest.book().cancel(repair, "a person said so")

    assert [repair.status for repair in latest.repairs] == [CANCELLED]
    assert latest.lane.head_id is None


def test_a_repair_that_succeeds_settles_it(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    latest.now = NOW + SETTLE

    latest.deliver()

    assert [repair.status for repair in latest.repairs] == [ENDED_WELL]
    assert latest.lane.head_id is None


def test_a_doubt_about_the_newest_itself_needs_no_repair(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.time_out()
    latest.pass_time(5 * SECOND)

    latest.deliver()

    assert latest.repairs == []


def test_what_is_shown_is_not_repaired_once_a_newer_one_gave_up(latest: OneLane) -> None:
    latest.accept("one")
    latest.deliver()
    latest.accept("two", rank=Rank.FINISHED)
    latest.lease()

    latest.finish(GiveUp(because="out of time"), Certainty.DOUBTFUL)

    assert latest.repairs == []
    assert latest.lane.head_id is None


def test_an_open_doubt_is_left_alone_once_a_newer_one_was_refused(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.time_out()
    latest.lease()
    latest.accept("three")
    latest.finish(DELIVERED, Certainty.APPLIED)
    latest.lease()

    latest.finish(REFUSED, Certainty.REFUSED)

    assert latest.statuses == {"one": SUPERSEDED, "two": ENDED_WELL, "three": FAILED}
    assert latest.lane.head_id is None


def test_the_target_of_a_hook_that_is_off_is_not_repaired(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.time_out()
    latest.lease()
    latest.hooks["hook_1"] = HookFacts(off_at=latest.now)

    latest.finish(DELIVERED, Certainty.APPLIED)

    assert latest.repairs == []


def test_a_rescue_opens_a_doubt_that_ends_after_it(latest: OneLane) -> None:
    latest.accept("one")
    latest.lease()
    latest.accept("two")
    latest.pass_time(LEASE)
    latest.book().rescue()

    latest.deliver()

    assert [repair.repair_of for repair in latest.repairs] == ["two"]
    assert latest.lane.due_at == NOW + LEASE + SETTLE


def test_a_newer_arrival_takes_the_place_of_a_waiting_repair_and_inherits_the_question(
    latest: OneLane,
) -> None:
    _doubt_then_newer(latest)
    first, settled = latest.repairs[0], latest.lane.due_at

    latest.accept("three", digest="failure")
    latest.deliver()

    assert first.status is SUPERSEDED
    assert [repair.repair_of for repair in latest.repairs[1:]] == ["three"]
    assert latest.lane.due_at == settled


def test_a_newer_arrival_like_the_shown_one_is_sent_though_a_repair_waits(latest: OneLane) -> None:
    _doubt_then_newer(latest)

    latest.accept("three", digest="success")
    latest.deliver()

    assert latest.statuses["three"] is ENDED_WELL
    assert [repair.repair_of for repair in latest.repairs[1:]] == ["three"]


def _zombie(lane: OneLane) -> Delivery:
    """Of `one`, whose lease ended and whose node is still alive, while `two` was taken and repaired."""
    lane.accept("one")
    lane.lease()
    lane.accept("two")
    lane.pass_time(LEASE)
    lane.book().rescue()
    lane.deliver()
    lane.now = lane.lane.due_at
    lane.deliver()
    lane.pass_time(SECOND)
    return lane.deliveries["one"]


def test_a_late_success_of_an_older_one_is_repaired_at_once(latest: OneLane) -> None:
    zombie = _zombie(latest)

    latest.book().late(zombie, Certainty.APPLIED)

    assert zombie.status is SUPERSEDED
    assert latest.lease() is latest.repairs[1]


def test_a_late_doubt_about_an_older_one_is_repaired_when_it_has_settled(latest: OneLane) -> None:
    zombie = _zombie(latest)

    latest.book().late(zombie, Certainty.DOUBTFUL)

    assert len(latest.repairs) == 2
    assert latest.lane.due_at == latest.now + SETTLE


@pytest.mark.parametrize("certainty", [Certainty.REFUSED, Certainty.UNSENT])
def test_a_late_result_without_effect_changes_nothing(latest: OneLane, certainty: Certainty) -> None:
    zombie = _zombie(latest)

    latest.book().late(zombie, certainty)

    assert len(latest.repairs) == 1
    assert latest.lane.head_id is None


def test_a_doubt_that_opens_while_a_repair_waits_moves_the_repair_along(latest: OneLane) -> None:
    _doubt_then_newer(latest)
    latest.pass_time(30 * SECOND)

    latest.book().late(latest.deliveries["one"], Certainty.DOUBTFUL)

    assert len(latest.repairs) == 1
    assert latest.lane.due_at == latest.now + SETTLE


def test_an_ordered_lane_is_never_repaired(ordered: OneLane) -> None:
    ordered.accept("one")
    ordered.lease()
    ordered.accept("two")
    ordered.finish(GiveUp(because="timed out"), Certainty.DOUBTFUL)

    ordered.deliver()

    assert ordered.repairs == []
    assert ordered.lane.head_id is None
