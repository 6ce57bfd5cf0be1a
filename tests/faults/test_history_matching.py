from __future__ import annotations

import json

import pytest

from tests.faults.history import Limits, Received, Row
from tests.faults.history.matching import match

Times = tuple[int, int | None]


def request(came: float, status: int | None = 200) -> Received:
    return Received(
        receiver="far",
        number=1,
        delivery="dlv_1",
        position="",
        lane="",
        path="/",
        digest="",
        started_at=came,
        status=status,
    )


def attempt(began: int, ended: int | None, **changes: object) -> Row:
    values = {"started_at": began, "finished_at": ended, "closed_by": ended and "holder"}
    return {**values, "certainty": "applied", "outcome": "TimedOut", "detail": None, "node": "a", **changes}


def rescued(began: int, ended: int, node: str = "a") -> Row:
    return attempt(began, ended, closed_by="rescue", certainty="doubtful", outcome="Unknown", node=node)


def answered(began: int, ended: int, status: int) -> Row:
    return attempt(began, ended, outcome="Answered", detail=json.dumps({"status": status}))


def matched(received: list[Received], attempts: list[Row], asleep: str = "") -> list[int | None]:
    """The numbers of the attempts; node `asleep` stood still all the time."""
    found = match(received, attempts, Limits(clock=2, lag=250), lambda row, at: row["node"] == asleep)
    return [None if index is None else index + 1 for index in found]


@pytest.mark.parametrize(
    ("came", "attempts", "by"),
    [
        (5, [attempt(0, 10), attempt(20, 30)], 1),
        (25, [attempt(0, 10), attempt(20, 30)], 2),
        (25, [attempt(0, 10), attempt(20, None)], 2),
        (17, [attempt(0, 10), attempt(20, 30)], 1),  # noticed late
        (20, [attempt(0, 20), attempt(20, 30)], 2),
        (19, [attempt(20, 30)], 1),  # the clocks differ a little
        (17, [attempt(20, 30)], None),
        (280, [attempt(20, 30)], 1),  # noticed late
        (281, [attempt(20, 30)], None),
        (281, [rescued(20, 30)], 1),
        (25, [attempt(20, 30, certainty="unsent")], None),
        (25, [answered(20, 30, 200)], 1),
        (25, [answered(20, 30, 503)], None),
    ],
)
def test_a_request_belongs_to_the_attempt_that_was_open(
    came: float, attempts: list[Row], by: int | None
) -> None:
    assert matched([request(came)], attempts) == [by]


def test_an_answer_nobody_heard_may_have_been_any() -> None:
    assert matched([request(25, status=None)], [answered(20, 30, 503)]) == [1]


def test_no_attempt_sends_two() -> None:
    assert matched([request(5), request(6)], [attempt(0, 10)]) == [1, None]


def test_an_attempt_whose_node_stood_still_comes_before_one_that_had_ended() -> None:
    attempts = [rescued(0, 50, node="sleeper"), rescued(50, 100)]

    assert matched([request(110)], attempts, asleep="sleeper") == [1]
    assert matched([request(110)], attempts) == [2]


def test_a_request_gives_way_to_one_that_has_no_other_attempt() -> None:
    """Both came while the second attempt was open; the first attempt's node slept."""
    attempts = [rescued(0, 50, node="sleeper"), attempt(50, 100)]

    assert matched([request(60)], attempts, asleep="sleeper") == [2]
    assert sorted(matched([request(60), request(70)], attempts, asleep="sleeper"), key=str) == [1, 2]
    assert matched([request(60), request(300)], attempts, asleep="sleeper") == [2, 1]


def test_a_request_gives_way_though_it_came_first() -> None:
    attempts = [answered(0, 20, 503), attempt(10, 30)]

    assert matched([request(15, status=None), request(25)], attempts) == [1, 2]
