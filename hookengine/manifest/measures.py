"""Durations and sizes as people write them: `5s`, `15m`, `3d`, `256KiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from hookengine.domain.clock import Millis

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST = 3660 * _UNITS["d"]

_SIZE = re.compile(r"([0-9]{1,12})\s*(B|KB|MB|GB|KIB|MIB|GIB)?", re.IGNORECASE)
_SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}


def milliseconds(value: Any) -> Millis:
    """A bare number counts seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number, unit = float(value), "s"
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        number, unit = float(match[1]), match[2] or "s"
    else:
        raise ValueError("must be a duration such as 500ms, 5s, 15m, 2h or 3d, or a number of seconds")
    duration = round(number * _UNITS[unit])
    if not 0 < duration <= _LONGEST:
        raise ValueError("must be a duration of more than nothing and at most ten years")
    return duration


def byte_count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())) and int(match[1]) > 0:
        return int(match[1]) * _SIZES[(match[2] or "B").upper()]
    raise ValueError("must be a size such as 16KiB or 1MiB, or a number of bytes")


def _schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], "examples": [example]})


Duration = Annotated[Millis, PlainValidator(milliseconds), _schema("15m")]
Size = Annotated[int, PlainValidator(byte_count), _schema("256KiB")]
