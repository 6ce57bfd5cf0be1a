"""Taking what we want to know out of a foreign document, by a table, with every mistake told by its place there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hookengine.domain.clock import Millis, as_text, from_datetime
from hookengine.domain.context import MISSING, lookup
from hookengine.errors import InvalidEvent

LONGEST_TEXT = 2000
LONGEST_PROSE = 1000
MOST_TEXTS = 100
LARGEST = 2**53 - 1
LATEST: Millis = 253_402_300_799_000  # 9999-12-31
FIRST_MILLIS = (
    100_000_000_000  # whole numbers from here on count milliseconds: 1973 in one unit, 5138 in the other
)

_COMMIT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_ZONE_NAME = re.compile(r" (UTC|GMT|Z)$")
_ZONE_OFFSET = re.compile(r" ([+-][0-9]{2}):?([0-9]{2})$")

Reads = Callable[[Any], Any]
"""A foreign value as ours. Raises ValueError with what it must be."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What stands at `path` (dotted) of a foreign document. Missing, null and empty texts say nothing."""

    path: str
    reads: Reads
    required: bool = False


Table = Mapping[str, Fact]
"""Facts by the dotted names under which templates see them."""


def read_facts(document: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Nested as the names say; only what is there. Raises InvalidEvent with everything that is wrong."""
    found: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for name, fact in table.items():
        value = lookup(document, fact.path)
        if value is MISSING or value is None or value == "":
            if fact.required:
                wrong[fact.path] = [f"{fact.path} is required."]
            continue
        try:
            put(found, name, fact.reads(value))
        except ValueError as error:
            wrong[fact.path] = [f"{fact.path} {error}."]
    if wrong:
        raise InvalidEvent(wrong)
    return found


def put(facts: dict[str, Any], name: str, value: Any) -> None:
    """At the dotted `name`."""
    *outer, last = name.split(".")
    for step in outer:
        facts = facts.setdefault(step, {})
    facts[last] = value


def known(facts: Mapping[str, Any], name: str) -> Any:
    """None if it is not."""
    value = lookup(facts, name)
    return None if value is MISSING else value


# How values are read


def text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise ValueError(f"must be a text of up to {LONGEST_TEXT} characters")
    return value


def prose(value: Any) -> str:
    """For people to read: cut where it becomes long."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("must be a text")
    return value if len(value) <= LONGEST_PROSE else value[: LONGEST_PROSE - 1] + "…"


def number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise ValueError("must be a whole number that is not negative")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def commit(value: Any) -> str:
    if not isinstance(value, str) or not _COMMIT.fullmatch(value):
        raise ValueError("must be the full hash of a commit, 40 or 64 hexadecimal digits")
    return value.lower()


def texts(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_TEXTS:
        raise ValueError(f"must be a list of up to {MOST_TEXTS} texts")
    return [text(item) for item in value]


def text_or_number(value: Any) -> str | int:
    return number(value) if isinstance(value, int) else text(value)


def some(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_TEXTS:
        raise ValueError(f"must be a list of up to {MOST_TEXTS}")
    return value


def an_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def moment(value: Any) -> Millis:
    """Of epoch seconds, epoch milliseconds, or ISO 8601 with a zone as any of the hosts writes it."""
    try:
        instant = _instant(value)
        as_text(instant)
    except (ValueError, OverflowError, OSError):  # what no clock of this machine can show
        instant = -1
    if not 0 <= instant <= LATEST:
        raise ValueError(
            "must be a time: seconds or milliseconds since 1970, or ISO 8601 with a zone, such as 2026-11-22T10:15:00Z"
        )
    return instant


def _instant(value: Any) -> Millis:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 15:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= FIRST_MILLIS else value * 1000
    if isinstance(value, str):
        return from_datetime(
            datetime.fromisoformat(_ZONE_OFFSET.sub(r"\1:\2", _ZONE_NAME.sub("+00:00", value)))
        )
    raise ValueError


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are a text, a number, true or false."""
    return {name: value for name, value in values.items() if isinstance(value, str | int | float)}


def is_commit(value: Any) -> bool:
    return isinstance(value, str) and _COMMIT.fullmatch(value) is not None
