"""I4 and I9: of each a violation that is found, and beside it what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.judging import attempt, broken, change, said, sent
from tests.faults.model import DEADLINE, SECOND, SETTLE, MutableRow, Run


@pytest.fixture
def run() -> Run:
    return Run()


def trade_places(run: Run, one: str, other: str) -> None:
    """Each of two deliveries stands where the other stood."""
    first, second = run.deliveries[one], run.deliveries[other]
    for name in ("number", "rank", "seq", "first_seq"):
        first[name], second[name] = second[name], first[name]


def order(texts: list[str]) -> list[str]:
    """Without what says the request names another position."""
    return [text for text in texts if not text.startswith("I5")]


# I4, latest


def test_an_older_state_after_a_newer_one_is_found(run: Run) -> None:
    run.arrive(rank=1)
    sent(run)
    run.arrive(rank=2)
    sent(run)
    trade_places(run, "dlv_001", "dlv_002")

    assert "I4: lane 1: dlv_002 was sent after dlv_001, which is newer" in said(run)


def test_of_equal_states_the_one_accepted_last_is_newer(run: Run) -> None:
    run.arrive()
    sent(run)
    run.arrive()
    sent(run)
    assert broken(run) == set()

    trade_places(run, "dlv_001", "dlv_002")
    assert "I4: lane 1: dlv_002 was sent after dlv_001, which is newer" in said(run)


def test_an_older_state_may_come_once_more_before_the_newer_one(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "cut_off")
    sent(run)
    run.arrive(rank=2)
    sent(run)

    assert broken(run) == set()


def test_a_repair_is_not_older_than_what_it_repairs(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()

    assert [one.delivery for one in run.received] == ["dlv_001", "dlv_002", "dlv_003"]
    assert broken(run) == set()


def test_lanes_do_not_order_each_other(run: Run) -> None:
    run.arrive("one", rank=2)
    sent(run, lane="one")
    run.arrive("other", rank=1)
    sent(run, lane="other")

    assert broken(run) == set()


def test_numbers_order_a_lane_of_one_pipeline(run: Run) -> None:
    run.arrive(action=1, number=20)
    sent(run)
    run.arrive(action=2, number=10)
    assert run.deliveries["dlv_002"]["status"] == "superseded"
    assert broken(run) == set()

    for action, pipeline in zip(run.actions.values(), (1, 2), strict=True):
        action["pipeline_id"] = pipeline
    assert said(run) == ["L2: dlv_002 is superseded, and nothing newer is there"]


def test_numbers_of_different_pipelines_do_not_order_a_lane(run: Run) -> None:
    run.arrive(action=1, number=20)
    sent(run)
    run.arrive(action=2, number=10, pipeline=2)
    sent(run)
    assert broken(run) == set()

    for action in run.actions.values():
        action["pipeline_id"] = 1
    run.lanes["main"]["scope"] = "pipeline:1"
    assert said(run)[0] == "I4: lane 1: dlv_002 was sent after dlv_001, which is newer"


def test_what_went_before_the_change_of_order_is_not_held_against_it(run: Run) -> None:
    run.arrive(action=2, number=1)
    run.arrive("side", action=1, number=2)
    run.arrive(action=1, number=2)
    sent(run)  # by number it is the newer one, by the actions' age the older one
    run.arrive(action=3, number=None)
    sent(run)
    run.come_to_rest()

    assert broken(run) == set()


def test_older_bytes_of_a_sender_that_stood_still_are_counted_apart(run: Run) -> None:
    run.arrive(rank=1)
    run.send(how="stopped")
    run.arrive(rank=2)
    sent(run)
    run.wake()
    run.come_to_rest()
    assert broken(run) == set()

    run.pauses.clear()
    assert "I4" in broken(run)


# I4, ordered


def test_overtaking_is_found(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    sent(run)
    sent(run)
    trade_places(run, "dlv_001", "dlv_002")

    assert "I4: lane 1: dlv_001 was sent before dlv_002 had ended" in said(run)


def test_overtaking_is_found_though_nobody_received_it(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    run.send(how="unreachable")
    run.cancel("dlv_001")
    run.send(how="unreachable")
    run.cancel("dlv_002")
    assert broken(run) == set()
    trade_places(run, "dlv_001", "dlv_002")

    assert said(run) == ["I4: lane 1: dlv_001 was sent before dlv_002 had ended"]


def test_a_head_that_gives_up_lets_the_next_one_go(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    sent(run, "broken")
    sent(run, "refused")
    sent(run)

    assert broken(run) == set()


def test_a_paused_hook_lets_others_go_first(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    sent(run)
    sent(run)
    trade_places(run, "dlv_001", "dlv_002")
    run.deliveries["dlv_002"]["hook_id"] = "hook_2"
    run.emitted = [
        replace(told, deliveries={run.deliveries[name]["hook_id"]: name for name in told.deliveries.values()})
        for told in run.emitted
    ]

    assert order(said(run)) == ["I4: lane 1: dlv_001 was sent before dlv_002 had ended"]
    assert order(said(run, paused_hooks=frozenset({"hook_2"}))) == []
    assert order(said(run, paused_hooks=frozenset({"hook_1"}))) != []


def test_within_one_hook_nobody_overtakes_while_it_is_paused(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    sent(run)
    sent(run)
    trade_places(run, "dlv_001", "dlv_002")

    assert order(said(run, paused_hooks=frozenset({"hook_1"}))) != []


# I4, what is shown in the end


def shown_wrong(run: Run) -> bool:
    return any("the receiver shows" in text for text in said(run))


def test_a_receiver_that_shows_an_older_state_is_found(run: Run) -> None:
    run.arrive(rank=1)
    first = sent(run, "busy")
    run.arrive(rank=2)
    last = sent(run)
    assert broken(run) == set()
    assert last.applied_at is not None
    change(run, first, applied_at=last.applied_at + 1)

    assert said(run) == ["I4: lane 1: the receiver shows dlv_001, and the newest is dlv_002"]


def test_the_same_state_of_an_older_one_is_as_good(run: Run) -> None:
    run.arrive(rank=1, state="up")
    first = sent(run, "busy")
    run.arrive(rank=2, state="up")
    last = sent(run)
    assert last.applied_at is not None
    change(run, first, applied_at=last.applied_at + 1)

    assert broken(run) == set()


def test_what_was_left_out_as_unchanged_must_be_shown(run: Run) -> None:
    run.arrive(rank=1, state="up")
    sent(run)
    run.arrive(rank=2, state="up")
    assert run.send() is None
    assert broken(run) == set()
    run.deliveries["dlv_001"]["digest"] = "body of another"

    assert shown_wrong(run)


@pytest.mark.parametrize("how", ["refused", "cancelled"])
def test_a_newest_state_that_was_not_delivered_need_not_be_shown(run: Run, how: str) -> None:
    run.arrive(rank=1)
    sent(run)
    run.arrive(rank=2)
    if how == "cancelled":
        run.cancel("dlv_002")
    else:
        sent(run, how)

    assert broken(run) == set()


def test_what_is_applied_later_than_doubts_are_waited_for_cannot_be_helped(run: Run) -> None:
    run.arrive(rank=1)
    first = sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()
    run.now += 10 * SETTLE
    given_up = attempt(run, "dlv_001")["finished_at"]

    change(run, first, applied_at=given_up + SETTLE + 1)
    assert not shown_wrong(run)


def test_a_repair_that_is_missing_is_noticed(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()
    assert broken(run) == set()
    del run.deliveries["dlv_003"], run.attempts[-1], run.received[-1]

    assert said(run) == ["I4: lane 1: the receiver shows dlv_001, and the newest is dlv_002"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_repair_that_came_to_nothing_repairs_nothing(run: Run, status: str) -> None:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.cancel("dlv_003")
    run.deliveries["dlv_003"]["status"] = status
    run.now += SETTLE

    assert broken(run) == set()


def test_a_lane_that_still_works_may_show_what_it_likes(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    assert run.lanes["main"]["head_id"] == "dlv_003"
    run.now += SECOND

    assert broken(run) == set()


def test_a_sender_that_dies_after_its_pause_cannot_tell(run: Run) -> None:
    run.arrive(rank=1)
    run.send(how="stopped")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()
    del run.deliveries["dlv_003"], run.attempts[-1], run.received[-1]
    assert shown_wrong(run)

    attempt(run, "dlv_001")["late_outcome"] = None
    assert not shown_wrong(run)


def test_a_hook_that_is_off_repairs_nothing(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()
    del run.deliveries["dlv_003"], run.attempts[-1], run.received[-1]
    hook = {"id": "hook_1", "off_at": run.now, "state": "disabled"}

    assert broken(run, rows=replace(run.history().rows, hook=[hook])) == set()


# I9


def overlapping(run: Run, *, by: float) -> None:
    """The first of two requests ends after the second has begun."""
    first, second = run.received[:2]
    change(run, first, ended_at=second.started_at + by)
    change(run, second, ended_at=second.started_at + 1000)


@pytest.mark.parametrize("policy", ["latest", "ordered"])
def test_two_requests_of_a_lane_in_flight_are_found(run: Run, policy: str) -> None:
    run.arrive(policy=policy)
    sent(run)
    run.arrive(rank=2)
    sent(run)
    overlapping(run, by=30)

    assert said(run) == ["I9: lane 1: two requests were in flight at once for 30 ms"]


@pytest.mark.parametrize(("by", "seen"), [(200, False), (300, True)])
def test_that_a_sender_hung_up_may_be_noticed_late(run: Run, by: float, seen: bool) -> None:
    run.arrive()
    sent(run, "cut_off")
    sent(run)
    overlapping(run, by=by)

    assert said(run) == (["I9: lane 1: two requests were in flight at once for 300 ms"] if seen else [])


def test_a_request_that_never_ends_is_in_flight(run: Run) -> None:
    run.arrive()
    sent(run)
    run.arrive(rank=2)
    sent(run)
    change(run, run.received[0], ended_at=None)
    change(run, run.received[1], ended_at=run.received[1].started_at + 50)

    assert said(run) == ["I9: lane 1: two requests were in flight at once for 50 ms"]


def test_a_request_in_flight_is_not_forgotten_over_a_shorter_one(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    first, _, third = sent(run), sent(run), sent(run)
    change(run, first, ended_at=third.started_at + 3)

    assert said(run) == [
        "I9: lane 1: two requests were in flight at once for 4 ms",
        "I9: lane 1: two requests were in flight at once for 3 ms",
    ]


def test_requests_of_two_lanes_may_be_in_flight(run: Run) -> None:
    run.arrive("one")
    sent(run, lane="one")
    run.arrive("other")
    sent(run, lane="other")
    overlapping(run, by=100)

    assert broken(run) == set()


def test_a_request_under_way_while_its_sender_stands_still_is_excused(run: Run) -> None:
    run.arrive()
    first = sent(run, "killed")
    second = sent(run)
    change(run, first, ended_at=second.started_at + 1000)
    change(run, second, ended_at=second.started_at + 1000)
    run.pauses = [replace(run.pauses[0], ends=second.started_at + 90)]
    assert broken(run) == set()

    run.pauses = [replace(run.pauses[0], ends=second.started_at - 10 * SECOND)]
    assert broken(run) == {"I9"}
    run.pauses = [replace(run.pauses[0], ends=second.started_at + 90, node="another")]
    assert broken(run) == {"I9"}


def test_two_open_attempts_in_a_lane_are_found(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)
    later: MutableRow = attempt(run, "dlv_001", 2)
    attempt(run, "dlv_001", 1)["finished_at"] = later["started_at"] + DEADLINE

    assert "I9: lane 1: two attempts were open at once" in said(run)
