from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from hookengine.domain.attempt import Accept, Certainty, GiveUp, TryAgain, Verdict
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import HookFacts, Lane, Terms
from hookengine.domain.lane_book import POISON_STRIKES, LaneBook
from tests.conftest import NOW, make_delivery, make_lane

SECOND = 1000
HOUR = 3_600_000
DAY = 24 * HOUR
SETTLE = 60 * SECOND
LEASE = 50 * SECOND

DELIVERED = Accept(because="200")
REFUSED = GiveUp(because="422")

QUEUED, SENDING, RETRYING = DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.RETRYING
SUPERSEDED, CANCELLED = DeliveryStatus.SUPERSEDED, DeliveryStatus.CANCELLED
ENDED_WELL, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.FAILED


class OneLane:
    """A lane with all its deliveries, at a time that moves when told."""

    def __init__(self, policy: LanePolicy = LanePolicy.LATEST) -> None:
        self.lane: Lane = make_lane(policy)
        self.deliveries: dict[str, Delivery] = {}
        self.now: Millis = NOW
        self.hooks: dict[str, HookFacts] = {}
        self._tokens: Iterator[int] = count(1)
        self._repairs: Iterator[int] = count(1)

    def book(self, *, complete: bool = True) -> LaneBook:
        terms = Terms(
            now=self.now,
            settle=SETTLE,
            lease=LEASE,
            new_token=lambda: next(self._tokens),
            new_id=lambda: f"repair_{next(self._repairs)}",
            hooks=self.hooks,
        )
        book = LaneBook(self.lane, self.deliveries, terms, complete=complete)
        self.deliveries = book.deliveries
        return book

    def accept(self, delivery_id: str, *, scope: str | None = "pipeline:1", **changes: object) -> Delivery:
        arrival = make_delivery(delivery_id, **{"accepted_at": self.now, **changes})
        self.book().accept(arrival, scope)
        return arrival

    def lease(self) -> Delivery | None:
        return self.book().lease()

    def finish(self, verdict: Verdict, certainty: Certainty = Certainty.REFUSED) -> None:
        """Of an attempt that began a second ago."""
        self.book().finish(verdict, certainty, self.now - SECOND)

    def time_out(self) -> None:
        self.finish(TryAgain(at=self.now + 5 * SECOND, because="timed out"), Certainty.DOUBTFUL)

    def deliver(self) -> None:
        assert self.lease() is not None
        self.pass_time(SECOND)
        self.finish(DELIVERED, Certainty.APPLIED)

    def pass_time(self, millis: Millis) -> None:
        self.now += millis

    @property
    def statuses(self) -> dict[str, DeliveryStatus]:
        return {row.id: row.status for row in self.deliveries.values()}

    @property
    def repairs(self) -> list[Delivery]:
        return [row for row in self.deliveries.values() if row.repair_of is not None]


@pytest.fixture
def latest() -> OneLane:
    return OneLane(LanePolicy.LATEST)


@pytest.fixture
def ordered() -> OneLane:
    return OneLane(LanePolicy.ORDERED)


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
