from __future__ import annotations

from typing import get_args

import pytest

from hookengine.domain.attempt import (
    OUTCOMES,
    VERDICTS,
    Accept,
    Answered,
    Blocked,
    Certainty,
    GiveUp,
    Outcome,
    OutcomeWord,
    TimedOut,
    Unknown,
    Unreachable,
    Unrenderable,
    Verdict,
    VerdictWord,
    certainty_of,
    describe,
    host_failed,
    kind_of,
)

APPLIED, REFUSED, UNSENT, DOUBTFUL = Certainty


@pytest.mark.parametrize(
    ("outcome", "accepted", "certainty"),
    [
        (Answered(status=200), True, APPLIED),
        (Answered(status=201), True, APPLIED),
        (Answered(status=202), True, DOUBTFUL),
        (Answered(status=422), True, APPLIED),
        (Answered(status=503), True, APPLIED),
        (Answered(status=200), False, DOUBTFUL),
        (Answered(status=299), False, DOUBTFUL),
        (Answered(status=202), False, DOUBTFUL),
        (Answered(status=301), False, REFUSED),
        (Answered(status=400), False, REFUSED),
        (Answered(status=408), False, DOUBTFUL),
        (Answered(status=422), False, REFUSED),
        (Answered(status=429), False, REFUSED),
        (Answered(status=500), False, DOUBTFUL),
        (Answered(status=499), False, REFUSED),
        (Answered(status=501), False, DOUBTFUL),
        (Answered(status=502), False, DOUBTFUL),
        (Answered(status=503), False, DOUBTFUL),
        (Answered(status=504), False, DOUBTFUL),
        (Answered(status=520), False, DOUBTFUL),
        (Answered(status=524), False, DOUBTFUL),
        (Answered(status=599), False, DOUBTFUL),
        (Unreachable(reason="refused"), False, UNSENT),
        (Unreachable(reason="reset", written=True), False, DOUBTFUL),
        (TimedOut(phase="connect", seconds=5), False, UNSENT),
        (TimedOut(phase="read", seconds=30, written=True), False, DOUBTFUL),
        (Blocked(reason="10.0.0.1"), False, UNSENT),
        (Unrenderable(reason="no sha"), False, UNSENT),
        (Unknown(reason="the node went away"), False, DOUBTFUL),
    ],
)
def test_each_outcome_has_its_certainty(outcome: Outcome, accepted: bool, certainty: Certainty) -> None:
    verdict = Accept(because="taken") if accepted else GiveUp(because="not taken")

    assert certainty_of(outcome, verdict) is certainty


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Answered(status=503), "503"),
        (TimedOut(phase="read", seconds=30), "timed out after 30.0 s (read)"),
        (Unreachable(reason="no route"), "unreachable: no route"),
        (Blocked(reason="10.0.0.1"), "blocked: 10.0.0.1"),
        (Unrenderable(reason="no sha"), "unrenderable: no sha"),
        (Unknown(reason="gone"), "unknown: gone"),
    ],
)
def test_each_outcome_is_described_in_a_line(outcome: Outcome, line: str) -> None:
    assert describe(outcome) == line


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Answered(status=204), "2xx"),
        (Answered(status=302), "3xx"),
        (Answered(status=404), "4xx"),
        (Answered(status=429), "429"),
        (Answered(status=503), "5xx"),
        (TimedOut(phase="connect", seconds=5), "timeout_connect"),
        (TimedOut(phase="read", seconds=30, written=True), "timeout_read"),
        (Unreachable(reason="no route"), "unreachable"),
        (Blocked(reason="10.0.0.1"), "blocked"),
        (Unrenderable(reason="no sha"), "unrenderable"),
        (Unknown(reason="gone"), "unknown"),
    ],
)
def test_each_outcome_is_of_a_kind_of_which_there_are_few(outcome: Outcome, kind: str) -> None:
    assert kind_of(outcome) == kind


def test_each_outcome_and_verdict_has_a_word_of_its_own() -> None:
    assert list(OUTCOMES) == [kind.__name__ for kind in get_args(Outcome)]
    assert list(VERDICTS) == [kind.__name__ for kind in get_args(Verdict)]
    assert tuple(OUTCOMES.values()) == get_args(OutcomeWord)
    assert tuple(VERDICTS.values()) == get_args(VerdictWord)


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Answered(status=200), False),
        (Answered(status=500), False),
        (Answered(status=503), True),
        (Unreachable(reason="refused", code="refused"), True),
        (Unreachable(reason="no file descriptors left", code="no_sockets"), None),
        (TimedOut(phase="read", seconds=1), True),
        (Blocked(reason="private"), None),
        (Unrenderable(reason="no name"), None),
        (Unknown(reason="stopped"), None),
    ],
)
def test_what_an_outcome_says_about_its_host(outcome: Outcome, failed: bool | None) -> None:
    assert host_failed(outcome) is failed
