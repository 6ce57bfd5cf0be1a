"""Response rules: whether an answer is a success, worth another try, or final. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from hookengine.domain.attempt import Answered


class Ruling(StrEnum):
    SUCCESS = "success"
    RETRY = "retry"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRule:
    """Applies when everything it names matches: the status, each header, the body.

    `statuses` are codes or classes such as `4xx`; patterns are regular expressions of RE2, searched for
    without regard to case. `tries`: what is worth another try is so until the attempt of this number.
    `after`: how many milliseconds to leave the target alone when its answer does not say.
    """

    statuses: tuple[str, ...]
    then: Ruling
    because: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    tries: int | None = None
    after: int | None = None

    def matches(self, answer: Answered) -> bool:
        if not _fits(self.statuses, answer.status):
            return False
        for name, pattern in self.headers.items():
            if compiled(pattern).search(answer.headers.get(name.lower(), "")) is None:
                return False
        return not self.body or compiled(self.body).search(answer.body) is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """By RE2, which takes time in proportion to the text, whatever pattern a hook and text a target bring:
    it knows no look-around and no back-references. Raises ValueError.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be read"
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error


@lru_cache(maxsize=4096)
def _fits(patterns: tuple[str, ...], status: int) -> bool:
    """Asked for every rule at every answer, of which few differ."""
    code = str(status)
    return any(pattern in (code, f"{code[0]}xx") for pattern in patterns)


FEW_TRIES = 3
"""Attempts after which what was probably meant as it was said is believed."""

DEFAULT_RULES = (
    ResponseRule(statuses=("2xx",), then=Ruling.SUCCESS, because="the target took it"),
    ResponseRule(
        statuses=("408", "425", "429"), then=Ruling.RETRY, because="the target asks to come back later"
    ),
    ResponseRule(
        statuses=("413",),
        then=Ruling.RETRY,
        because="the request is too large for the target",
        tries=FEW_TRIES,
    ),
    ResponseRule(statuses=("5xx",), then=Ruling.RETRY, because="the target has a fault that may pass"),
    ResponseRule(statuses=("410",), then=Ruling.PERMANENT, because="the target is gone"),
    ResponseRule(statuses=("3xx",), then=Ruling.PERMANENT, because="redirects are not followed"),
)


def rule_for(answer: Answered, rules: Sequence[ResponseRule]) -> ResponseRule:
    """The first of `rules` that matches, else a default one: whatever is left is refused for good."""
    for either in (rules, DEFAULT_RULES):
        for rule in either:
            if rule.matches(answer):
                return rule
    return ResponseRule(
        statuses=(str(answer.status),), then=Ruling.PERMANENT, because="the target refuses this request"
    )
