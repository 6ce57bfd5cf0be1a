from __future__ import annotations

import pytest

from hookengine.domain.attempt import (
    Accept,
    Answered,
    Blocked,
    GiveUp,
    Outcome,
    TimedOut,
    TryAgain,
    Unknown,
    Unreachable,
    Unrenderable,
    Verdict,
)
from hookengine.domain.event import Rank
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    RetryPolicy,
    Trial,
    asked_pause,
    judge,
    next_try,
)
from tests.conftest import NOW

POLICY = RetryPolicy(waits=(5 * SECOND, 15 * SECOND), jitter=0.2)


def _trial(number: int = 1, *, age: int = 0, rank: Rank = Rank.FINISHED) -> Trial:
    return Trial(number=number, age=age, rank=rank, now=NOW)


def _judge(outcome: Outcome, trial: Trial | None = None, *, chance: float = 0.0) -> Verdict:
    return judge(outcome, trial or _trial(), POLICY, chance=lambda: chance)


def _answer(status: int = 503, **headers: str) -> Answered:
    return Answered(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("outcome", "verdict", "because"),
    [
        (_answer(200), Accept, "200: the target took it"),
        (_answer(202), Accept, "202: the target took it"),
        (_answer(204), Accept, "204: the target took it"),
        (_answer(301), GiveUp, "301: redirects are not followed"),
        (_answer(400), GiveUp, "400: the target refuses this request"),
        (_answer(401), GiveUp, "401: the target refuses this request"),
        (_answer(403), GiveUp, "403: the target refuses this request"),
        (_answer(404), GiveUp, "404: the target refuses this request"),
        (_answer(408), TryAgain, "408: the target asks to come back later"),
        (_answer(410), GiveUp, "410: the target is gone"),
        (_answer(413), TryAgain, "413: the request is too large for the target"),
        (_answer(422), GiveUp, "422: the target refuses this request"),
        (_answer(425), TryAgain, "425: the target asks to come back later"),
        (_answer(429), TryAgain, "429: the target asks to come back later"),
        (_answer(500), TryAgain, "500: the target has a fault that may pass"),
        (_answer(503), TryAgain, "503: the target has a fault that may pass"),
        (_answer(599), TryAgain, "599: the target has a fault that may pass"),
        (_answer(600), GiveUp, "600: the target refuses this request"),
        (Unreachable(reason="connection refused"), TryAgain, "unreachable: connection refused"),
        (Unreachable(reason="reset", written=True), TryAgain, "unreachable: reset"),
        (TimedOut(phase="connect", seconds=5), TryAgain, "timed out after 5.0 s (connect)"),
        (TimedOut(phase="read", seconds=30, written=True), TryAgain, "timed out after 30.0 s (read)"),
        (Unknown(reason="the node went away"), TryAgain, "unknown: the node went away"),
        (Blocked(reason="10.0.0.1"), GiveUp, "blocked: 10.0.0.1"),
        (Unrenderable(reason="no sha"), GiveUp, "unrenderable: no sha"),
    ],
)
def test_each_outcome_has_its_verdict(outcome: Outcome, verdict: type[Verdict], because: str) -> None:
    judged = _judge(outcome)

    assert type(judged) is verdict
    assert judged.because == because


@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (_answer(413), "413: the request is too large for the target"),
        (
            Unreachable(reason="other protocol", code="switched_protocols", written=True),
            "unreachable: other protocol",
        ),
    ],
)
def test_what_was_meant_as_it_was_said_is_believed_after_a_few_attempts(
    outcome: Outcome, because: str
) -> None:
    verdicts = [_judge(outcome, _trial(number)) for number in range(1, 5)]

    assert [type(each) for each in verdicts] == [TryAgain, TryAgain, GiveUp, GiveUp]
    assert verdicts[2].because == f"{because}; believed after 3 attempts"


def test_what_is_too_large_may_come_again_when_the_target_says() -> None:
    verdicts = [_judge(_answer(413, retry_after="60"), _trial(number)) for number in (1, 3)]

    assert [getattr(verdicts[0], "at", None), verdicts[1].pause_until] == [NOW + MINUTE] * 2  # type: ignore[union-attr]


FOR_PEOPLE = (
    *("tls_expired", "tls_not_yet_valid", "tls_wrong_name", "tls_untrusted", "tls_protocol"),
    *("tls_client", "tls_refused", "tls_garbage", "tls_failed", "proxy_auth", "proxy_denied"),
)


@pytest.mark.parametrize(
    ("code", "wait"),
    [
        *((code, 15 * MINUTE) for code in FOR_PEOPLE),
        *(
            (code, 5 * SECOND)
            for code in ("tls_closed", "refused", "reset", "garbage", "dns_not_found", "proxy_failed", "")
        ),
    ],
)
def test_what_only_a_person_can_mend_is_tried_slowly(code: str, wait: int) -> None:
    verdict = _judge(Unreachable(reason="no", code=code))

    assert isinstance(verdict, TryAgain)
    assert verdict.at == NOW + wait


def test_slow_waits_grow_as_the_usual_ones_do() -> None:
    policy, expired = RetryPolicy(jitter=0), Unreachable(reason="no", code="tls_expired")

    verdicts = [judge(expired, _trial(number), policy) for number in range(1, 9)]

    waits = [verdict.at - NOW for verdict in verdicts if isinstance(verdict, TryAgain)]
    assert waits == [15 * MINUTE] * 5 + [30 * MINUTE, HOUR, HOUR]


def test_a_state_that_will_soon_be_outdated_gets_a_few_tries_at_the_slow_pace() -> None:
    expired = Unreachable(reason="no", code="tls_expired")

    verdicts = [
        _judge(expired, _trial(number + 1, age=number * 15 * MINUTE + 1, rank=Rank.STARTED))
        for number in range(4)
    ]

    assert [type(each) for each in verdicts] == [TryAgain, TryAgain, TryAgain, GiveUp]


def test_only_gone_says_that_the_hook_has_no_place_any_more() -> None:
    verdicts = {status: _judge(_answer(status)) for status in (404, 410, 422)}

    assert {status for status, verdict in verdicts.items() if getattr(verdict, "gone", False)} == {410}


def test_a_hooks_own_rule_goes_before_the_usual_ones() -> None:
    rule = ResponseRule(statuses=("422",), then=Ruling.SUCCESS, because="already there")

    assert judge(_answer(422), _trial(), POLICY, [rule]) == Accept(because="422: already there")


@pytest.mark.parametrize(("number", "wait"), [(1, 5), (2, 15), (3, 15), (50, 15)])
def test_waits_follow_the_plan_and_the_last_one_repeats(number: int, wait: int) -> None:
    verdict = _judge(_answer(503), _trial(number))

    assert isinstance(verdict, TryAgain)
    assert verdict.at == NOW + wait * SECOND
    assert verdict.pause_until is None


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 5000), (0.5, 5500), (0.999, 5999)])
def test_jitter_makes_a_wait_longer_and_never_shorter(chance: float, wait: int) -> None:
    verdict = _judge(_answer(503), chance=chance)

    assert isinstance(verdict, TryAgain)
    assert verdict.at == NOW + wait


HTTP_DATE = "Wed, 18 Nov 2026 11:07:10 GMT"  # thirty seconds after NOW


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("30", 30 * SECOND),
        (" 30 ", 30 * SECOND),
        ("0", 0),
        ("3600", HOUR),
        ("3601", HOUR),
        ("999999999", HOUR),
        ("1000000000000", HOUR),
        ("9" * 5000, None),
        (HTTP_DATE, 30 * SECOND),
        ("Wed, 18 Nov 2026 11:06:00 GMT", 0),
        ("Wed, 18 Nov 2099 11:06:00 GMT", HOUR),
        ("", None),
        ("-30", None),
        ("+30", None),
        ("1.5", None),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("٣٠", None),
        ("soon", None),
        ("GMT", None),
        ("Wed, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_clamped_or_ignored(value: str, pause: int | None) -> None:
    assert asked_pause(_answer(429, retry_after=value), NOW) == pause


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1795000060"}, MINUTE),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "1795000060"}, MINUTE),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1794999999"}, 0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "999999999999"}, 2 * HOUR),
        ({"x_ratelimit_remaining": "1", "x_ratelimit_reset": "1795000060"}, None),
        ({"x_ratelimit_reset": "1795000060"}, None),
        ({"x_ratelimit_remaining": "0"}, None),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, None),
        ({"retry_after": "5", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "1795000060"}, 5 * SECOND),
        ({"retry_after": "?", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "1795000060"}, MINUTE),
    ],
)
def test_an_exhausted_rate_limit_asks_for_a_pause_until_its_reset(
    headers: dict[str, str], pause: int | None
) -> None:
    assert asked_pause(_answer(429, **headers), NOW) == pause


@pytest.mark.parametrize(("asked", "wait"), [("60", MINUTE), ("1", 5 * SECOND)])
def test_a_pause_makes_a_wait_longer_and_never_shorter(asked: str, wait: int) -> None:
    verdict = _judge(_answer(429, retry_after=asked))

    assert isinstance(verdict, TryAgain)
    assert verdict.at == NOW + wait
    assert verdict.pause_until == NOW + int(asked) * SECOND
    assert verdict.because.endswith(f"it asked for a pause of {asked} s")


LIMITED = ResponseRule(statuses=("429",), then=Ruling.RETRY, because="enough", after=MINUTE)


@pytest.mark.parametrize(
    ("asked", "pause", "because"),
    [
        ({}, MINUTE, "429: enough"),
        ({"retry_after": "7"}, 7 * SECOND, "429: enough; it asked for a pause of 7 s"),
    ],
)
def test_a_rule_says_how_long_to_leave_a_target_alone_that_does_not_say_it_itself(
    asked: dict[str, str], pause: int, because: str
) -> None:
    verdict = judge(_answer(429, **asked), _trial(), POLICY, [LIMITED], lambda: 0.0)

    assert verdict == TryAgain(at=NOW + pause, because=because, pause_until=NOW + pause)


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (3, TryAgain(at=NOW + 15 * SECOND, because="404: no such commit")),
        (4, GiveUp(because="404: no such commit; believed after 4 attempts")),
    ],
)
def test_a_rule_says_how_often_an_answer_is_doubted(number: int, verdict: Verdict) -> None:
    rule = ResponseRule(statuses=("404",), then=Ruling.RETRY, because="no such commit", tries=4)

    assert judge(_answer(404), _trial(number), POLICY, [rule], lambda: 0.0) == verdict


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_reason_names_the_address_a_redirect_leads_to(status: int) -> None:
    moved = _judge(_answer(status, location="https://api.github.com/repositories/7/statuses/x"))
    refused = _judge(_answer(400, location="https://elsewhere.example/"))

    assert moved.because == (
        f"{status}: redirects are not followed; "
        "its new address is https://api.github.com/repositories/7/statuses/x"
    )
    assert "address" not in refused.because


def test_nothing_comes_before_the_pause_though_the_try_is_jittered() -> None:
    verdict = _judge(_answer(429, retry_after="60"), chance=0.9)

    assert isinstance(verdict, TryAgain)
    assert verdict.at > (verdict.pause_until or 0)


@pytest.mark.parametrize(
    ("rank", "age", "goes_on"),
    [
        (Rank.QUEUED, HOUR - 6 * SECOND, True),
        (Rank.QUEUED, HOUR - 5 * SECOND, False),
        (Rank.STARTED, HOUR - 6 * SECOND, True),
        (Rank.STARTED, HOUR - 5 * SECOND, False),
        (Rank.FINISHED, HOUR, True),
        (Rank.FINISHED, 3 * DAY - 6 * SECOND, True),
        (Rank.FINISHED, 3 * DAY - 5 * SECOND, False),
    ],
)
def test_what_is_final_is_tried_longer_than_what_will_soon_be_outdated(
    rank: Rank, age: int, goes_on: bool
) -> None:
    verdict = _judge(_answer(503), _trial(age=age, rank=rank))

    assert isinstance(verdict, TryAgain) is goes_on
    assert goes_on or verdict.because.endswith("; out of time after 1 attempts")


@pytest.mark.parametrize("rank", Rank)
def test_a_hooks_own_budget_counts_for_every_rank(rank: Rank) -> None:
    policy = RetryPolicy(waits=(SECOND,), give_up_after=10 * SECOND)

    early = judge(_answer(503), _trial(age=8 * SECOND, rank=rank), policy)
    late = judge(_answer(503), _trial(age=9 * SECOND, rank=rank), policy)

    assert (type(early), type(late)) == (TryAgain, GiveUp)


def test_a_pause_beyond_the_budget_gives_up() -> None:
    verdict = _judge(_answer(429, retry_after="3600"), _trial(rank=Rank.STARTED))

    assert isinstance(verdict, GiveUp)
    assert verdict.pause_until == NOW + HOUR


def test_giving_up_without_a_pause_asks_for_none() -> None:
    verdict = _judge(_answer(503), _trial(age=HOUR, rank=Rank.STARTED))

    assert isinstance(verdict, GiveUp)
    assert verdict.pause_until is None


def test_the_usual_waits_grow_to_an_hour() -> None:
    policy = RetryPolicy()

    waits = [policy.wait(number) for number in range(1, 10)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5 * SECOND, HOUR)


def test_the_next_try_is_told_as_a_time() -> None:
    assert next_try(TryAgain(at=NOW, because="503")) == "2026-11-18T11:06:40.000Z"
    assert next_try(GiveUp(because="422")) is None


def test_a_401_whose_credential_was_renewed_is_tried_again_at_once() -> None:
    verdict = judge(Answered(status=401, renewed=True), _trial(), RetryPolicy())
    late = judge(Answered(status=401, renewed=True), _trial(age=4 * DAY), RetryPolicy())

    assert isinstance(verdict, TryAgain)
    assert (verdict.at, "renewed" in verdict.because) == (NOW, True)
    assert isinstance(late, GiveUp)
    assert isinstance(judge(Answered(status=401), _trial(), RetryPolicy()), GiveUp)
