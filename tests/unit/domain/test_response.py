from __future__ import annotations

from collections.abc import Mapping

import pytest

from hookengine.domain.attempt import Answered
from hookengine.domain.response import ResponseRule, Ruling, compiled, rule_for
from tests.conftest import SLOWER, least_cpu

ANSWER = Answered(status=422, headers={"content-type": "application/json"}, body='{"error":"Already Exists"}')


@pytest.mark.parametrize(
    ("statuses", "headers", "body", "matches"),
    [
        (("422",), {}, "", True),
        (("4xx",), {}, "", True),
        (("404", "4xx"), {}, "", True),
        (("42",), {}, "", False),
        (("5xx",), {}, "", False),
        ((), {}, "", False),
        (("422",), {}, "already exists", True),
        (("422",), {}, r"already\s+exists", True),
        (("422",), {}, "^already", False),
        (("422",), {"Content-Type": "JSON"}, "", True),
        (("422",), {"content-type": "json$"}, "exists", True),
        (("422",), {"content-type": "html"}, "exists", False),
        (("422",), {"x-missing": "."}, "", False),
        (("422",), {"x-missing": "^$"}, "", True),
    ],
)
def test_a_rule_applies_when_all_it_names_matches(
    statuses: tuple[str, ...], headers: Mapping[str, str], body: str, matches: bool
) -> None:
    rule = ResponseRule(
        statuses=statuses, headers=headers, body=body, then=Ruling.SUCCESS, because="there already"
    )

    assert rule.matches(ANSWER) is matches


def test_the_first_rule_that_matches_counts() -> None:
    other = ResponseRule(statuses=("404",), then=Ruling.RETRY, because="not yet")
    first = ResponseRule(statuses=("4xx",), then=Ruling.SUCCESS, because="fine")
    second = ResponseRule(statuses=("422",), then=Ruling.PERMANENT, because="never")

    assert rule_for(ANSWER, [other, first, second]) is first


@pytest.mark.parametrize("status", [100, 402, 451, 600, 999])
def test_what_no_rule_names_is_refused_for_good(status: int) -> None:
    assert rule_for(Answered(status=status), ()).then is Ruling.PERMANENT


def test_no_pattern_takes_long_whatever_the_target_answers() -> None:
    rule = ResponseRule(statuses=("400",), then=Ruling.RETRY, because="x", body="^(a+)+$")
    answer = Answered(status=400, body="a" * 10_000 + "!")

    assert least_cpu(lambda: rule.matches(answer), 0.1) < SLOWER * 0.1
    assert not rule.matches(answer)


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "("])
def test_a_pattern_that_cannot_be_matched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compiled(pattern)
