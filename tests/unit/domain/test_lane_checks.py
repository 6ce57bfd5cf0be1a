"""Asking what a target shows: when a check is owed, when what it found is cured, and when neither is."""

from __future__ import annotations

from hookengine.domain.attempt import Certainty, GiveUp, TryAgain
from hookengine.domain.delivery import CHECK, CURE, Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.lane import Finding, HookFacts
from tests.unit.domain.one_lane import DELIVERED, SECOND, SETTLE, OneLane


def told(lane: OneLane, delivery_id: str = "done", **changes: object) -> Delivery:
    """Accepted and delivered, and to be checked."""
    lane.accept(delivery_id, **{"rank": Rank.FINISHED, **changes})
    assert lane.lease() is not None
    finish(lane, Finding.TO_BE_CHECKED)
    return lane.deliveries[delivery_id]


def finish(lane: OneLane, finding: Finding | None = None) -> None:
    lane.pass_time(SECOND)
    lane.book().finish(DELIVERED, Certainty.APPLIED, lane.now - SECOND, finding)


def head(lane: OneLane) -> Delivery | None:
    return lane.deliveries[lane.lane.head_id] if lane.lane.head_id else None


def checked(lane: OneLane, finding: Finding | None) -> Delivery:
    lane.pass_time(SETTLE)
    check = lane.lease()
    assert check is not None
    assert check.part == CHECK
    finish(lane, finding)
    return check


def test_a_check_is_due_once_everything_has_settled() -> None:
    lane = OneLane()
    done = told(lane)

    check = head(lane)

    assert check is not None
    assert (check.part, check.repair_of, check.request_id) == (CHECK, "done", done.request_id)
    assert lane.book().position(check) == lane.book().position(done)
    assert lane.lane.due_at == lane.now + SETTLE
    assert lane.lane.shown_id == "done"


def test_what_is_shown_right_ends_it() -> None:
    lane = OneLane()
    told(lane)

    check = checked(lane, None)

    assert (check.status, head(lane), lane.lane.shown_id) == (DeliveryStatus.DELIVERED, None, "done")


def test_what_is_shown_wrong_is_told_once_more_at_once_and_not_checked_again() -> None:
    lane = OneLane()
    told(lane)

    checked(lane, Finding.WRONG)

    cure = lane.lease()
    assert cure is not None
    assert (cure.part, cure.repair_of) == (CURE, "done")
    finish(lane)
    assert (head(lane), lane.lane.shown_id) == (None, cure.id)


def test_a_newer_arrival_supersedes_a_check_that_waits() -> None:
    lane = OneLane()
    told(lane)
    check = head(lane)

    lane.accept("newer", number=2, rank=Rank.STARTED)

    assert check is not None
    assert (check.status, check.superseded_by) == (DeliveryStatus.SUPERSEDED, "newer")
    assert lane.lane.head_id == "newer"


def test_what_a_check_found_does_not_count_against_what_came_meanwhile() -> None:
    lane = OneLane()
    told(lane)
    lane.pass_time(SETTLE)
    lane.lease()

    lane.accept("newer", number=2, rank=Rank.STARTED)
    finish(lane, Finding.WRONG)

    assert lane.lane.head_id == "newer"
    assert [row.part for row in lane.repairs] == [CHECK]


def test_nothing_is_checked_while_something_newer_waits() -> None:
    lane = OneLane()
    lane.accept("done", rank=Rank.FINISHED)
    lane.lease()
    lane.accept("newer", number=2)

    finish(lane, Finding.TO_BE_CHECKED)

    assert lane.lane.head_id == "newer"
    assert lane.repairs == []


def test_what_a_check_found_does_not_count_once_something_newer_came_and_went() -> None:
    lane = OneLane()
    told(lane)
    lane.pass_time(SETTLE)
    lane.lease()
    newer = lane.accept("newer", number=2, rank=Rank.STARTED)
    lane.book().cancel(newer, "a person said so")

    finish(lane, Finding.WRONG)

    assert head(lane) is None
    assert [row.part for row in lane.repairs] == [CHECK]


def test_a_repair_that_is_owed_comes_before_a_check() -> None:
    lane = OneLane()
    lane.accept("older", rank=Rank.STARTED)
    lane.lease()
    lane.accept("done", rank=Rank.FINISHED)
    lane.time_out()
    lane.lease()

    finish(lane, Finding.TO_BE_CHECKED)

    repair = head(lane)
    assert repair is not None
    assert (repair.part, repair.repair_of) == (0, "done")
    lane.pass_time(SETTLE)
    lane.lease()
    finish(lane, Finding.TO_BE_CHECKED)
    check = head(lane)
    assert check is not None
    assert (check.part, check.repair_of) == (CHECK, repair.id)


def test_a_check_without_an_answer_opens_no_doubt_and_is_tried_again() -> None:
    lane = OneLane()
    told(lane)
    lane.pass_time(SETTLE)
    lane.lease()

    lane.finish(TryAgain(at=lane.now + 5 * SECOND, because="timed out"), Certainty.DOUBTFUL)

    check = head(lane)
    assert check is not None
    assert (check.status, lane.lane.doubt_until) == (DeliveryStatus.RETRYING, 0)


def test_a_check_that_is_given_up_changes_nothing() -> None:
    lane = OneLane()
    told(lane)
    lane.pass_time(SETTLE)
    lane.lease()

    lane.finish(GiveUp(because="404"))

    assert (head(lane), lane.lane.shown_id) == (None, "done")
    assert [row.part for row in lane.repairs] == [CHECK]


def test_a_check_of_a_hook_that_was_switched_off_is_cancelled() -> None:
    lane = OneLane()
    told(lane)
    check = head(lane)
    lane.hooks["hook_1"] = HookFacts(off_at=lane.now)
    lane.pass_time(SETTLE)

    assert lane.lease() is None
    assert check is not None
    assert (check.status, head(lane)) == (DeliveryStatus.CANCELLED, None)


def test_what_is_told_again_though_nothing_changed_is_skipped_and_its_check_with_it() -> None:
    lane = OneLane()
    done = told(lane)

    lane.accept("same", rank=Rank.FINISHED, digest=done.digest)

    assert lane.lease() is None
    assert lane.statuses["same"] == DeliveryStatus.SUPERSEDED
    assert head(lane) is None
