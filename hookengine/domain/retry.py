"""When to try again, and when to stop. Waits and stops are tenacity's objects; nothing sleeps here."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, assert_never

import tenacity

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
    describe,
)
from hookengine.domain.clock import Millis, as_text
from hookengine.domain.event import Rank
from hookengine.domain.response import FEW_TRIES, ResponseRule, Ruling, rule_for
from hookengine.domain.struct import struct

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FINAL_BUDGET = 3 * DAY
"""How long after its acceptance a final state is worth another try."""

SLOW_WAIT = 15 * MINUTE
"""At least, before what only a person can mend is tried again."""

MENDED_BY_PEOPLE = frozenset(
    {"tls_expired", "tls_not_yet_valid", "tls_wrong_name", "tls_untrusted"}
    | {"tls_protocol", "tls_client", "tls_refused", "tls_garbage", "tls_failed"}
    | {"proxy_auth", "proxy_denied"}
)
"""Codes of Unreachable."""

MEANT = frozenset({"switched_protocols"})
"""Codes of Unreachable that are no accident: a few tries, and they are believed."""

REDIRECTS = range(300, 400)
MAX_ADDRESS = 300  # characters of it that a reason quotes

LONGEST_PAUSE = HOUR  # a Retry-After beyond this is not believed
LONGEST_LIMIT_PAUSE = 2 * HOUR  # unless it is the reset of a rate limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Waits between attempts (the last one repeats) and how long after acceptance to go on; milliseconds."""

    waits: tuple[Millis, ...] = (5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR)
    give_up_after: Millis | None = None  # None: an hour before the action has finished, three days after
    jitter: float = 0.2  # up to this share of a wait is added to it

    def wait(self, attempt: int) -> Millis:
        """After the attempt of this number (from 1), without jitter."""
        chain = tenacity.wait_chain(*(tenacity.wait_fixed(wait / 1000) for wait in self.waits))
        return round(chain(_state(attempt)) * 1000)

    def exhausted(self, attempt: int, *, age: Millis, wait: Millis, rank: Rank) -> bool:
        """Whether a try after `wait` more would come too late for a delivery accepted `age` ago."""
        limit = self.give_up_after
        if limit is None:
            limit = FINAL_BUDGET if rank is Rank.FINISHED else HOUR
        return tenacity.stop_before_delay(limit / 1000)(_state(attempt, age=age, wait=wait))


class _Deferred(tenacity.BaseRetrying):
    """Only there because a RetryCallState wants an owner."""

    def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("waits live in the database")


_OWNER = _Deferred()


def _state(attempt: int, *, age: Millis = 0, wait: Millis = 0) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(retry_object=_OWNER, fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    state.start_time, state.outcome_timestamp = 0.0, age / 1000
    state.upcoming_sleep = wait / 1000
    return state


@struct()
class Trial:
    """The attempt being judged: its number, and the age and rank of its delivery at `now`."""

    number: int
    age: Millis
    rank: Rank
    now: Millis


def judge(
    outcome: Outcome,
    trial: Trial,
    policy: RetryPolicy,
    rules: Sequence[ResponseRule] = (),
    chance: Callable[[], float] = random.random,
) -> Verdict:
    """What follows from how an attempt ended. `chance` gives numbers in [0, 1) for the jitter."""
    match outcome:
        case Answered():
            return _judge_answer(outcome, trial, policy, rules, chance)
        case Unreachable(code=code) if code in MEANT:
            return _again(describe(outcome), trial, policy, chance, tries=FEW_TRIES)
        case Unreachable(code=code) if code in MENDED_BY_PEOPLE:
            return _again(describe(outcome), trial, policy, chance, at_least=SLOW_WAIT)
        case Unreachable() | TimedOut() | Unknown() | Blocked(passing=True):
            return _again(describe(outcome), trial, policy, chance)
        case Blocked() | Unrenderable():
            return GiveUp(because=describe(outcome))
        case _:
            assert_never(outcome)


def _judge_answer(
    answer: Answered,
    trial: Trial,
    policy: RetryPolicy,
    rules: Sequence[ResponseRule],
    chance: Callable[[], float],
) -> Verdict:
    rule = rule_for(answer, rules)
    because = f"{answer.status}: {rule.because}"
    if rule.then is Ruling.SUCCESS:
        return Accept(because=because)
    if rule.then is Ruling.RETRY:
        asked = asked_pause(answer, trial.now)
        if asked is None and rule.after is not None:
            return _again(because, trial, policy, chance, pause=rule.after, tries=rule.tries)
        words = "" if asked is None else f"; it asked for a pause of {asked / SECOND:g} s"
        return _again(because, trial, policy, chance, pause=asked, tries=rule.tries, words=words)
    if answer.status in REDIRECTS and (address := answer.headers.get("location")):
        because = f"{because}; its new address is {address[:MAX_ADDRESS]}"
    if answer.renewed and not policy.exhausted(trial.number, age=trial.age, wait=0, rank=trial.rank):
        return TryAgain(at=trial.now, because=f"{because}; its credential has been renewed")
    return GiveUp(because=because, gone=answer.status == 410)


def _again(
    because: str,
    trial: Trial,
    policy: RetryPolicy,
    chance: Callable[[], float],
    pause: Millis | None = None,
    at_least: Millis = 0,
    tries: int | None = None,
    words: str = "",
) -> Verdict:
    """`pause` holds everything that goes there on the same account; `words` are said if it is tried again."""
    wait = max(policy.wait(trial.number), pause or 0, at_least)
    pause_until = None if pause is None else trial.now + pause
    if tries is not None and trial.number >= tries:
        return GiveUp(because=f"{because}; believed after {trial.number} attempts", pause_until=pause_until)
    if policy.exhausted(trial.number, age=trial.age, wait=wait, rank=trial.rank):
        because = f"{because}; out of time after {trial.number} attempts"
        return GiveUp(because=because, pause_until=pause_until)
    jittered = wait + round(wait * policy.jitter * chance())
    return TryAgain(at=trial.now + jittered, because=because + words, pause_until=pause_until)


def asked_pause(answer: Answered, now: Millis) -> Millis | None:
    """The pause a target asked for, clamped; None if it asked for none, or in a way nobody can read.

    `Retry-After` in digits or as an HTTP date (RFC 9110, section 10.2.3), else the reset time of an
    exhausted rate limit as GitHub (`x-ratelimit-*`) and GitLab (`ratelimit-*`) send it.
    """
    pause = _retry_after(answer.headers.get("retry-after", ""), now)
    if pause is not None:
        return min(pause, LONGEST_PAUSE)
    for prefix in ("x-ratelimit-", "ratelimit-"):
        reset = answer.headers.get(prefix + "reset", "")
        if answer.headers.get(prefix + "remaining") == "0" and re.fullmatch(r"[0-9]{1,12}", reset):
            return min(max(int(reset) * SECOND - now, 0), LONGEST_LIMIT_PAUSE)
    return None


def _retry_after(value: str, now: Millis) -> Millis | None:
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,18}", value):
        return int(value) * SECOND
    if not value.endswith("GMT"):
        return None
    try:
        moment: datetime = parsedate_to_datetime(value)
        return max(round(moment.timestamp() * 1000) - now, 0)
    except (TypeError, ValueError, OverflowError):
        return None


def next_try(verdict: Verdict) -> str | None:
    return as_text(verdict.at) if isinstance(verdict, TryAgain) else None
