"""Response rules: whether an answer is a success, worth another try, or final. Data, not code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hookengine.domain.attempt import Answered


class Ruling(StrEnum):
    SUCCESS = "success"
    RETRY = "retry"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRule:
    """Applies when everything it names matches: the status, each header, the body.

    `statuses` are codes or classes such as `4xx`; patterns are regular expressions, searched for without
    regard to case.
    """

    statuses: tuple[str, ...]
    then: Ruling
    because: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def matches(self, answer: Answered) -> bool:
        return (
            any(_status_matches(pattern, answer.status) for pattern in self.statuses)
            and all(
                re.search(pattern, answer.headers.get(name.lower(), ""), re.IGNORECASE) is not None
                for name, pattern in self.headers.items()
            )
            and (not self.body or re.search(self.body, answer.body, re.IGNORECASE) is not None)
        )


def _status_matches(pattern: str, status: int) -> bool:
    if pattern.endswith("xx"):
        return pattern[0] == str(status)[0]
    return pattern == str(status)


DEFAULT_RULES = (
    ResponseRule(statuses=("2xx",), then=Ruling.SUCCESS, because="the target took it"),
    ResponseRule(
        statuses=("408", "425", "429"), then=Ruling.RETRY, because="the target asks to come back later"
    ),
    ResponseRule(statuses=("5xx",), then=Ruling.RETRY, because="the target has a fault that may pass"),
    ResponseRule(statuses=("410",), then=Ruling.PERMANENT, because="the target is gone"),
    ResponseRule(statuses=("3xx",), then=Ruling.PERMANENT, because="redirects are not followed"),
)


def rule_for(answer: Answered, rules: Sequence[ResponseRule]) -> ResponseRule:
    """The first of `rules` that matches, else a default one: whatever is left is refused for good."""
    for rule in (*rules, *DEFAULT_RULES):
        if rule.matches(answer):
            return rule
    return ResponseRule(
        statuses=(str(answer.status),), then=Ruling.PERMANENT, because="the target refuses this request"
    )
