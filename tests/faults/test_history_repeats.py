"""I3, I5 and I6: of each a violation that is found, and beside it what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.history import Received
from tests.faults.judging import attempt, broken, change, said, sent
from tests.faults.model import SECOND, Run


@pytest.fixture
def run() -> Run:
    return Run()


def again(run: Run, received: Received, *, after: float) -> Received:
    """The same request comes once more, milliseconds after it came."""
    repeated = replace(
        received,
        number=len(run.received) + 1,
        started_at=received.started_at + after,
        ended_at=received.started_at + after + 1,
    )
    run.received.append(repeated)
    return repeated


# I3


def test_what_is_known_to_have_been_taken_is_not_sent_again(run: Run) -> None:
    run.arrive()
    first = sent(run, "busy")
    change(run, first, applied_at=first.started_at)
    sent(run)

    assert said(run) == ["I3: dlv_001 was sent again though it was known to have been taken"]


@pytest.mark.parametrize("how", ["cut_off", "late", "killed"])
def test_what_may_have_been_taken_may_be_sent_again(run: Run, how: str) -> None:
    run.arrive()
    sent(run, how)
    sent(run)

    assert broken(run) == set()


def test_what_was_refused_is_no_duplicate(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)

    assert broken(run) == set()


@pytest.mark.parametrize(
    "doubt", [{"late_outcome": "Answered"}, {"outcome": "Unknown"}, {"certainty": "doubtful"}]
)
def test_each_kind_of_doubt_excuses_a_duplicate(run: Run, doubt: dict[str, str]) -> None:
    run.arrive()
    first = sent(run, "busy")
    change(run, first, applied_at=first.started_at)
    attempt(run, "dlv_001").update(doubt)
    sent(run)

    assert broken(run) == set()


@pytest.mark.parametrize("how", ["taken", "refused"])
def test_nothing_is_sent_after_its_end(run: Run, how: str) -> None:
    run.arrive(policy="ordered")
    received = sent(run, how)
    run.now += 10 * SECOND
    again(run, received, after=SECOND)

    ended = run.deliveries["dlv_001"]["status"]
    assert f"I3: dlv_001 was sent after it had ended as {ended}" in said(run)


def test_a_request_may_be_noticed_a_little_after_its_end(run: Run) -> None:
    run.arrive()
    received = sent(run)
    change(run, received, started_at=run.now + 200, ended_at=run.now + 201)

    assert broken(run) == set()


def test_bytes_of_a_sender_that_stood_still_come_after_the_end(run: Run) -> None:
    run.arrive()
    run.send(how="stopped")
    sent(run)
    run.now += 100
    run.wake()
    run.come_to_rest()

    assert broken(run) == set()


@pytest.mark.parametrize(
    ("change_pause", "excused"),
    [
        ({}, True),
        ({"node": "another"}, False),
        ({"ends": -2 * SECOND}, False),  # it wrote long after it had gone on
        ({"begins": +60 * SECOND}, False),  # it stood still when its lease had ended already
    ],
)
def test_bytes_after_the_end_need_a_pause_of_their_own_sender(
    run: Run, change_pause: dict[str, object], excused: bool
) -> None:
    run.arrive()
    run.send(how="stopped")
    sent(run)
    run.now += 100 * SECOND
    run.wake()
    (pause,) = run.pauses
    moved = {
        name: getattr(pause, name) + by if isinstance(by, int) else by for name, by in change_pause.items()
    }
    run.pauses = [replace(pause, **moved)]  # type: ignore[arg-type]

    found = broken(run)
    assert ("I3" not in found) is excused, found


# I5


def test_one_id_with_two_bodies_is_found(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    change(run, sent(run), digest="another")

    assert said(run) == ["I5: dlv_001 was sent with different bodies"]


def test_a_body_that_nobody_waited_for_is_no_other_body(run: Run) -> None:
    run.arrive()
    change(run, sent(run, "busy"), digest="")
    sent(run)

    assert broken(run) == set()


@pytest.mark.parametrize("elsewhere", [{"path": "/elsewhere"}, {"receiver": "another"}])
def test_one_id_at_two_places_is_found(run: Run, elsewhere: dict[str, str]) -> None:
    run.arrive()
    sent(run, "busy")
    change(run, sent(run), **elsewhere)

    assert said(run) == ["I5: dlv_001 was sent to different places"]


def test_two_deliveries_of_one_id_are_found(run: Run) -> None:
    run.arrive()
    sent(run)
    history = run.history()
    twice = replace(history.rows, delivery=[*history.rows.delivery, *history.rows.delivery])

    assert "I5: there are 2 deliveries dlv_001" in said(run, rows=twice)


def test_a_repair_with_another_body_is_found(run: Run) -> None:
    run.arrive()
    run.send(how="cut_off")
    run.arrive(rank=2)
    run.come_to_rest()
    repair = run.received[-1]
    assert broken(run) == set()
    change(run, repair, digest="another")

    assert said(run) == [f"I5: {repair.delivery} repairs dlv_002 with another body"]


@pytest.mark.parametrize(
    ("position", "right"), [("1.1.1", True), ("", True), ("1.1.2", False), ("1.2.1", False), ("7.1.1", False)]
)
def test_a_request_says_its_own_position(run: Run, position: str, right: bool) -> None:
    run.arrive()
    change(run, sent(run), position=position)

    assert said(run) == ([] if right else [f"I5: dlv_001 was sent with position {position}"])


def test_both_orders_of_an_action_are_its_own(run: Run) -> None:
    run.arrive(number=70, action=5)
    received = sent(run)
    assert received.position == "70.1.1"
    change(run, received, position="1.1.1")

    assert broken(run) == set()


def test_in_an_ordered_lane_the_position_is_the_place_in_the_line(run: Run) -> None:
    run.arrive(policy="ordered", rank=2)
    assert sent(run).position == "0.0.1"
    assert broken(run) == set()


# I6


def test_more_requests_than_attempts_are_found(run: Run) -> None:
    run.arrive()
    again(run, sent(run, "busy"), after=2)
    sent(run)

    assert said(run) == ["I6: dlv_001 was received 3 times, and 2 attempts are recorded"]


def test_a_request_between_two_attempts_is_found(run: Run) -> None:
    run.arrive()
    run.send(how="unreachable")
    received = sent(run)
    change(run, received, started_at=received.started_at - SECOND)

    assert said(run) == ["I6: dlv_001 was received when no attempt had it in hand"]


def test_an_attempt_that_sent_nothing_sent_nothing(run: Run) -> None:
    run.arrive()
    sent(run)
    attempt(run, "dlv_001").update({"certainty": "unsent", "outcome": "Unreachable"})

    assert "I6: dlv_001 was received when no attempt had it in hand" in said(run)


def test_more_attempts_than_requests_are_as_promised(run: Run) -> None:
    run.arrive()
    run.send(how="unreachable")
    run.send(how="killed_before")
    sent(run)

    assert broken(run) == set()


@pytest.mark.parametrize("wrong", [{"number": 3}, {"number": 1}])
def test_attempts_that_do_not_count_from_one_are_found(run: Run, wrong: dict[str, int]) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)
    attempt(run, "dlv_001", 2).update(wrong)

    numbers = sorted([1, wrong["number"]])
    assert f"I6: dlv_001 has 2 attempts, numbered {numbers}" in said(run)


def test_an_attempt_that_was_not_counted_is_found(run: Run) -> None:
    run.arrive()
    sent(run)
    run.deliveries["dlv_001"]["attempts"] = 2

    assert said(run) == ["I6: dlv_001 has 2 attempts, numbered [1]"]


def test_attempts_that_are_counted_and_not_there_are_found(run: Run) -> None:
    run.arrive(policy="ordered")
    run.cancel("dlv_001")
    run.deliveries["dlv_001"]["attempts"] = 1

    assert said(run) == ["I6: dlv_001 has 1 attempts, and none is recorded"]


def test_attempts_of_nothing_are_found(run: Run) -> None:
    run.arrive()
    run.arrive(rank=2)
    sent(run)
    run.attempts.append({**run.attempts[0], "delivery_id": "dlv_999", "token": 99})

    assert "I6: attempts of dlv_999 are there, and it is not" in said(run)


def test_a_token_given_out_twice_is_found(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)
    attempt(run, "dlv_001", 2)["token"] = attempt(run, "dlv_001", 1)["token"]

    assert said(run) == ["I6: token 1 was given out 2 times"]
