"""What a target does with a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

Headers = tuple[tuple[str, str], ...]

RETRY_AFTERS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "zero": ("0",),
    "a second": ("1",),
    "thirty thousand years": ("1000000000000",),
    "negative": ("-5",),
    "looks like a year": ("-3",),
    "a fraction": ("1.5",),
    "infinite": ("inf",),
    "not a number": ("nan",),
    "huge": ("1e300",),
    "empty": ("",),
    "words": ("soon",),
    "a list": ("1, 2",),
    "two headers": ("1", "3600"),
    "a date gone by": ("Wed, 21 Oct 2015 07:28:00 GMT",),
    "a date far off": ("Fri, 31 Dec 9999 23:59:59 GMT",),
    "no such date": ("Wed, 99 Foo 2026 25:61:61 GMT",),
    "digits of another script": ("\u0661",),
}
"""Values of Retry-After, the odd ones too. What is not Latin-1 goes out as UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """`read`: wait for the request's body; else hang up once its head has come. `wait` is seconds until the
    answer, None until `release` or until the sender hangs up. A `status` of None hangs up instead of answering.
    `applies` is after how many seconds the effect shows, None if it never does, whatever is answered and
    whether or not the sender still waits.

    `pieces` are written instead of an answer, `pace` seconds apart, the last one for ever if `endless`.
    """

    read: bool = True
    wait: float | None = 0.0
    status: int | None = 200
    headers: Headers = ()
    body: str = "{}"
    applies: float | None = 0.0
    pieces: tuple[str, ...] = ()
    pace: float = 0.0
    endless: bool = False


HONEST = Behaviour()
GONE = Behaviour(status=410, applies=None)
HANG = Behaviour(wait=None, applies=None)
RESET_AT_ONCE = Behaviour(read=False, status=None, applies=None)
RESET_AFTER_READING = Behaviour(status=None, applies=None)
APPLY_THEN_DROP = Behaviour(status=None)


def answer(status: int, *headers: tuple[str, str], body: str = "{}") -> Behaviour:
    """Only a 2xx has an effect."""
    return Behaviour(status=status, headers=headers, body=body, applies=0.0 if 200 <= status < 300 else None)


def retry_after(status: int, name: str) -> Behaviour:
    """One of RETRY_AFTERS, by its name."""
    return answer(status, *(("retry-after", value) for value in RETRY_AFTERS[name]))


def slow(seconds: float) -> Behaviour:
    """Taken at once, answered late."""
    return Behaviour(wait=seconds)


def apply_late(seconds: float, *, answered: int | None = None) -> Behaviour:
    """The answer, or the hanging up, comes at once, and the effect later."""
    return Behaviour(status=answered, applies=seconds)


def drip(*pieces: str, pace: float = 0.0, endless: bool = False, applies: float | None = None) -> Behaviour:
    """Raw bytes instead of an answer; as `status` counts what their first line says."""
    words = pieces[0].split(" ", 2) if pieces else []
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    return Behaviour(status=status, pieces=pieces, pace=pace, endless=endless, applies=applies)


@dataclass(slots=True, kw_only=True)
class Rule:
    """For requests whose path begins with `path` and whose body holds `text`: as often as `times` (None:
    always), and each time with this `chance`."""

    behaviour: Behaviour
    path: str = ""
    text: str = ""
    times: int | None = None
    chance: float = 1.0

    def takes(self, path: str, body: str, dice: Random) -> bool:
        """Whether it is this one's turn; uses up one of its times."""
        if not path.startswith(self.path) or self.text not in body or self.times == 0:
            return False
        if self.chance < 1 and dice.random() >= self.chance:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rule:
        behaviour = dict(values["behaviour"])
        behaviour["headers"] = tuple((name, value) for name, value in behaviour["headers"])
        behaviour["pieces"] = tuple(behaviour["pieces"])
        return cls(**{**values, "behaviour": Behaviour(**behaviour)})
