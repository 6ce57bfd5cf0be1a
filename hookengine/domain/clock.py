"""Time as hookengine counts it: whole milliseconds since the epoch, in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, Protocol

Millis = int
"""Milliseconds since 1970-01-01T00:00Z, or a number of milliseconds."""


EARLIEST: Final[Millis] = -62_135_596_800_000
LATEST: Final[Millis] = 253_402_300_799_999
"""From 0001-01-01T00:00Z to the last millisecond of 9999: what has a text."""


class Clock(Protocol):
    """What a node asks for the time. `ticks` never jumps, `now` follows the wall clock."""

    def now(self) -> Millis: ...

    def ticks(self) -> float:
        """Seconds on a clock that only moves forward, also while the machine is suspended."""
        ...


class SystemClock:
    """The machine's own clocks. CLOCK_BOOTTIME counts suspension, `time.monotonic` does not on Linux."""

    ticks = staticmethod(partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))

    def now(self) -> Millis:
        return time.time_ns() // 1_000_000


def as_datetime(instant: Millis) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)


def as_text(instant: Millis) -> str:
    """RFC 3339 in UTC with milliseconds, such as `2026-11-22T10:15:00.250Z`."""
    second, millis = divmod(instant, 1000)
    return f"{_second_as_text(second)}.{millis:03d}Z"


@lru_cache(maxsize=1024)
def _second_as_text(second: int) -> str:
    """What happens is told in the order it happens, so most times are of a second that was told just now."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


def from_datetime(moment: datetime) -> Millis:
    """`moment` must know its zone: a naive time is not a moment."""
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, such as 2026-11-22T10:15:00Z")
    return round(moment.timestamp() * 1000)
