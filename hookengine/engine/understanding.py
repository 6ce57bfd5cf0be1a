"""What an answer tells beside its verdict: values that are kept, and what the target shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hookengine.domain.attempt import (
    Accept,
    Answered,
    GiveUp,
    Outcome,
    Verdict,
    certainty_of,
    host_failed,
)
from hookengine.domain.capture import take
from hookengine.domain.clock import Millis
from hookengine.domain.confirmation import Unreadable
from hookengine.domain.delivery import CURE
from hookengine.domain.lane import Finding
from hookengine.domain.request import Confirming
from hookengine.store.calls import Leased, Report

KEPT: Final = 16 * 1024
"""Characters of an answer that was read for what it tells."""


def understood(leased: Leased, outcome: Outcome, verdict: Verdict, now: Millis) -> Report:
    """An outcome as it is written down, and what follows from it.

    A success that lacks what it was asked for is none. A question that has no answer says nothing of the hook.
    """
    asks, capturing = leased.asks, leased.request.capturing
    if asks is not None and isinstance(verdict, GiveUp):
        verdict = replace(verdict, gone=False)
    plain = Report(
        token=leased.token,
        outcome=outcome,
        certainty=certainty_of(outcome, verdict),
        verdict=verdict,
        finished_at=now,
        host_failed=host_failed(outcome),
    )
    takes = () if capturing is None else capturing.takes
    if not isinstance(outcome, Answered):
        return plain
    if takes or asks is not None:
        plain = replace(plain, outcome=replace(outcome, body=outcome.body[:KEPT]))
    if not isinstance(verdict, Accept):
        return plain
    if asks is not None:
        return _read(plain, asks, outcome)
    if leased.request.confirming is not None and leased.part != CURE:
        plain = replace(plain, finding=Finding.TO_BE_CHECKED)
    if not takes:
        return plain
    captured, problem = take(takes, outcome.body)
    judged: Verdict = GiveUp(because=f"{verdict.because}, but {problem}") if problem else verdict
    return replace(plain, verdict=judged, captured=captured)


def _read(plain: Report, asks: Confirming, answer: Answered) -> Report:
    expected = asks.reading.expected
    try:
        shown = asks.reading.shown_in(answer.body)
    except Unreadable as error:
        return replace(plain, verdict=GiveUp(because=f"{answer.status}, but {error}"))
    if shown == expected:
        return replace(plain, verdict=Accept(because=f"the target shows {expected}"))
    what = "nothing" if shown is None else shown[:100]
    because = f"the target shows {what} in the place of {expected}: it is told once more"
    return replace(plain, verdict=Accept(because=because), finding=Finding.WRONG)
