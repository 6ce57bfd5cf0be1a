"""Filters for points in time, from ISO texts or numbers since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hookengine.domain.clock import as_text, from_datetime
from hookengine.guard.sandbox.budget import Run
from hookengine.guard.sandbox.source import Refusal
from hookengine.guard.sandbox.values import refusal_of

_LONGEST: Final = 64
_FIRST_IN_MILLISECONDS: Final = 100_000_000_000
"""Numbers from here on count milliseconds: as seconds they would lie beyond the year 5000."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(run: Run, value: Any) -> str:
    """ISO text in UTC."""
    return as_text(epoch_ms(run, value))


def epoch(run: Run, value: Any) -> int:
    """Whole seconds since 1970."""
    return epoch_ms(run, value) // 1000


def epoch_ms(run: Run, value: Any) -> int:
    """Milliseconds since 1970. A text without a zone is in UTC."""
    run.charge(_LONGEST)
    try:
        if isinstance(value, str) and len(value) <= _LONGEST:
            if value.isascii() and value.lstrip("-").isdigit():
                return _of_number(int(value))
            moment = datetime.fromisoformat(value)
            return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _of_number(value)
    except (ValueError, OverflowError):
        raise Refusal(
            "the value is not a time", "a time is ISO text such as 2026-11-22T10:15:00Z or epoch seconds"
        ) from None
    raise refusal_of(run, value, "a time: ISO text or epoch seconds")


def _of_number(number: float) -> int:
    milliseconds = number if abs(number) >= _FIRST_IN_MILLISECONDS else number * 1000
    return from_datetime(_EPOCH + timedelta(milliseconds=milliseconds))
