"""Attempts: one try at a delivery, how it ended, and what is certain about its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final, Literal, assert_never

from hookengine.domain.clock import Millis
from hookengine.domain.struct import struct


@struct()
class Timing:
    """How an attempt went on the wire, in milliseconds. `address` is the one dialled, by the proxy
    if there is one; None if only the proxy knows.

    `dns`, `connect` and `tls` are None on a connection that was kept from before, and where it did not come so
    far; `first_byte` and `total` count from the attempt's beginning.
    """

    address: str | None = None
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    total: float = 0.0


@struct()
class Answered:
    """The target answered. `body` holds the first bytes of the answer as text, scrubbed of secrets.

    `renewed`: the credential that was not good enough for it has another value by now.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names, those worth keeping
    body: str = ""
    renewed: bool = False
    timing: Timing | None = field(default=None, compare=False)


@struct()
class Unreachable:
    """No answer. `written`: request bytes may have reached the target. `code` is the reason in one stable word."""

    reason: str
    written: bool = False
    code: str = ""
    timing: Timing | None = field(default=None, compare=False)


NOT_OF_THE_TARGET = frozenset(
    {"no_sockets", "proxy_unreachable", "proxy_closed", "proxy_garbage", "proxy_auth", "proxy_denied"}
)
"""Codes of what the engine itself lacks, or its proxy: they say nothing about a target."""


@struct()
class TimedOut:
    """No answer in time. `phase` is what was waited for: dns, connect, tls, write or read; with a proxy `proxy`
    (a connection to it) and `tunnel` (its connection to the target) instead of connect.
    """

    phase: str
    seconds: float
    written: bool = False
    timing: Timing | None = field(default=None, compare=False)


@struct()
class Blocked:
    """The fence did not let it out: the address, or a secret. `passing`: it may, once something was mended."""

    reason: str
    passing: bool = False


@struct()
class Unrenderable:
    """The hook's templates could not be rendered for this event; nothing was sent."""

    reason: str


@struct()
class Unknown:
    """The node went away between sending and recording."""

    reason: str


Outcome = Answered | Unreachable | TimedOut | Blocked | Unrenderable | Unknown

OutcomeWord = Literal["answered", "unreachable", "timed_out", "blocked", "unrenderable", "unknown"]

OUTCOMES: Final[Mapping[str, OutcomeWord]] = {
    "Answered": "answered",
    "Unreachable": "unreachable",
    "TimedOut": "timed_out",
    "Blocked": "blocked",
    "Unrenderable": "unrenderable",
    "Unknown": "unknown",
}
"""By the names they are kept under, how people and programs are told them, and ask for them."""


class Certainty(StrEnum):
    """What is known about the effect at the target. Retries depend on the outcome, truth on this."""

    APPLIED = "applied"  #: the target took it
    REFUSED = "refused"  #: the target said no
    UNSENT = "unsent"  #: no byte left
    DOUBTFUL = "doubtful"  #: the target may have taken it, or may still


@struct()
class Accept:
    """It is done."""

    because: str


@struct()
class TryAgain:
    """Once more, at `at`. `pause_until`: the target asked that nothing of this lane comes before."""

    at: Millis
    because: str
    pause_until: Millis | None = None


@struct()
class GiveUp:
    """Never again. `gone`: the target says that the hook itself has no place any more (410).

    `pause_until`: the target asked that nothing of this lane comes before.
    """

    because: str
    gone: bool = False
    pause_until: Millis | None = None


Verdict = Accept | TryAgain | GiveUp

VerdictWord = Literal["accept", "try_again", "give_up"]

VERDICTS: Final[Mapping[str, VerdictWord]] = {
    "Accept": "accept",
    "TryAgain": "try_again",
    "GiveUp": "give_up",
}
"""As `OUTCOMES`."""


def certainty_of(outcome: Outcome, verdict: Verdict) -> Certainty:
    """What the response rules took for a success was applied, except for a 202, which only promises it.

    Any other answer was a refusal, unless the target, or one behind it, may have taken the request all the
    same: a 2xx that a rule does not take for a success, a 408, and every status from 500 on.
    """
    match outcome:
        case Answered(status=202):
            return Certainty.DOUBTFUL
        case Answered() if isinstance(verdict, Accept):
            return Certainty.APPLIED
        case Answered(status=status):
            perhaps = status == 408 or 200 <= status < 300 or status >= 500
            return Certainty.DOUBTFUL if perhaps else Certainty.REFUSED
        case Unreachable(written=written) | TimedOut(written=written):
            return Certainty.DOUBTFUL if written else Certainty.UNSENT
        case Blocked() | Unrenderable():
            return Certainty.UNSENT
        case Unknown():
            return Certainty.DOUBTFUL
        case _:
            assert_never(outcome)


def describe(outcome: Outcome) -> str:
    """One short line for people, such as `503` or `timed out after 5.0 s (connect)`."""
    match outcome:
        case Answered(status=status):
            return str(status)
        case TimedOut(phase=phase, seconds=seconds):
            return f"timed out after {seconds:.1f} s ({phase})"
        case Unreachable(reason=reason):
            return f"unreachable: {reason}"
        case Blocked(reason=reason):
            return f"blocked: {reason}"
        case Unrenderable(reason=reason):
            return f"unrenderable: {reason}"
        case Unknown(reason=reason):
            return f"unknown: {reason}"
        case _:
            assert_never(outcome)


def kind_of(outcome: Outcome) -> str:
    """One of few words, to count by: `2xx`, `429`, `timeout_connect`, `unreachable`, `blocked`, `unknown`."""
    match outcome:
        case Answered(status=429):
            return "429"
        case Answered(status=status):
            return f"{status // 100}xx"
        case TimedOut(phase=phase):
            return f"timeout_{phase}"
        case Unreachable() | Blocked() | Unrenderable() | Unknown():
            return type(outcome).__name__.lower()
        case _:
            assert_never(outcome)


def host_failed(outcome: Outcome) -> bool | None:
    """Whether nothing sensible was heard from the host: not its word on this request, but its being there.

    None for an outcome that says nothing about it.
    """
    match outcome:
        case Answered(status=status):
            return status in (502, 503, 504)
        case Unreachable(code=code) if code in NOT_OF_THE_TARGET:
            return None
        case TimedOut(phase="proxy"):
            return None
        case Unreachable() | TimedOut():
            return True
        case Blocked() | Unrenderable() | Unknown():
            return None
        case _:
            assert_never(outcome)
