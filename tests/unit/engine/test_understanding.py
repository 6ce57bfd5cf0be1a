from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.attempt import Accept, Answered, GiveUp, TimedOut, TryAgain, Verdict
from hookengine.domain.capture import Capture, Capturing
from hookengine.domain.confirmation import Reading
from hookengine.domain.delivery import CHECK, CURE
from hookengine.domain.event import Rank
from hookengine.domain.lane import Finding
from hookengine.domain.request import Confirming
from hookengine.engine.understanding import KEPT, understood
from hookengine.store.calls import Leased, Seat
from tests.conftest import NOW, make_request

CONFIRMING = Confirming(
    request=make_request(method="GET", body=None),
    reading=Reading(entries="", match=(), state="state", expected="success"),
)
TAKING = Capturing(takes=(Capture(name="id", path="id"),))
WELL = Accept(because="201: the target took it")


def leased(part: int = 0, **request: Any) -> Leased:
    return Leased(
        token=1,
        delivery_id="dlv_1",
        event_id="evt_1",
        hook_id="hook_1",
        hook_revision=1,
        attempt=1,
        rank=Rank.FINISHED,
        accepted_at=NOW,
        started_at=NOW,
        lane_key="a lane",
        position=(1, 2, 3),
        request=make_request(**request),
        seat=Seat("target.example", "hook_1", suspect=False),
        part=part,
    )


def answered(body: str, status: int = 201) -> Answered:
    return Answered(status=status, body=body)


def test_an_ordinary_answer_is_what_it_is() -> None:
    long = answered("x" * (KEPT + 1))

    read = understood(leased(), long, WELL, NOW)

    assert (read.outcome, read.verdict, read.captured, read.finding) == (long, WELL, {}, None)


def test_what_is_to_be_kept_is_taken_and_the_answer_cut_to_what_is_usual() -> None:
    read = understood(leased(capturing=TAKING), answered('{"id":17,"x":"' + "x" * KEPT + '"}'), WELL, NOW)

    assert (read.captured, read.verdict) == ({"id": "17"}, WELL)
    assert isinstance(read.outcome, Answered)
    assert len(read.outcome.body) == KEPT


@pytest.mark.parametrize("verdict", [TryAgain(at=NOW, because="503"), GiveUp(because="422")])
def test_nothing_is_taken_from_what_is_no_success(verdict: Verdict) -> None:
    read = understood(leased(capturing=TAKING), answered('{"id":17}'), verdict, NOW)

    assert (read.verdict, read.captured) == (verdict, {})


@pytest.mark.parametrize(("part", "finding"), [(0, Finding.TO_BE_CHECKED), (CURE, None)])
def test_what_was_told_is_to_be_checked_unless_a_check_has_had_it_told(
    part: int, finding: Finding | None
) -> None:
    assert understood(leased(part, confirming=CONFIRMING), answered("{}"), WELL, NOW).finding == finding


def test_what_was_not_taken_is_not_checked() -> None:
    assert (
        understood(leased(confirming=CONFIRMING), answered("{}"), GiveUp(because="422"), NOW).finding is None
    )


@pytest.mark.parametrize(
    ("body", "because", "finding"),
    [
        ('{"state":"success"}', "the target shows success", None),
        (
            '{"state":"pending"}',
            "the target shows pending in the place of success: it is told once more",
            Finding.WRONG,
        ),
        ("[]", "the target shows nothing in the place of success: it is told once more", Finding.WRONG),
    ],
)
def test_a_check_finds_what_is_shown(body: str, because: str, finding: Finding | None) -> None:
    read = understood(leased(CHECK, confirming=CONFIRMING), answered(body, 200), Accept(because="200"), NOW)

    assert (read.verdict, read.finding) == (Accept(because=because), finding)


def test_an_answer_that_cannot_be_read_finds_nothing() -> None:
    read = understood(
        leased(CHECK, confirming=CONFIRMING), answered("<html>", 200), Accept(because="200"), NOW
    )

    assert read.verdict == GiveUp(because="200, but the answer is no JSON, or too long")
    assert read.finding is None


def test_a_question_that_has_no_address_any_more_does_not_switch_its_hook_off() -> None:
    gone = GiveUp(because="410: the target is gone", gone=True)

    assert understood(leased(CHECK, confirming=CONFIRMING), answered("", 410), gone, NOW).verdict == GiveUp(
        because="410: the target is gone"
    )
    assert understood(leased(), answered("", 410), gone, NOW).verdict == gone


def test_without_an_answer_there_is_nothing_to_understand() -> None:
    silent = TimedOut(phase="read", seconds=30.0, written=True)
    again = TryAgain(at=NOW, because="timed out")

    read = understood(leased(CHECK, confirming=CONFIRMING), silent, again, NOW)

    assert (read.outcome, read.verdict, read.finding) == (silent, again, None)
