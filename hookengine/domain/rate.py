"""How many requests a credential may carry in a time, such as ten a minute."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hookengine.domain.clock import Millis

_PERIODS: dict[str, Millis] = {"s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE = re.compile(r"([1-9][0-9]{0,3})/(s|min|h|d)")
MOST = 1000
"""Requests in a period: every one of them is remembered for as long as it counts."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in any stretch of `period`."""

    count: int
    period: Millis

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Of `10/min`, in periods of s, min, h or d. Raises ValueError."""
        found = _RATE.fullmatch(text)
        if found is None or int(found[1]) > MOST:
            raise ValueError(
                f"a rate is a number from 1 to {MOST} per s, min, h or d, such as 10/min, not {text!r}"
            )
        return cls(int(found[1]), _PERIODS[found[2]])

    def __str__(self) -> str:
        unit = next(unit for unit, period in _PERIODS.items() if period == self.period)
        return f"{self.count}/{unit}"
