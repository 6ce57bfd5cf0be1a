"""The plain data templates see: looking things up in it, and laying newer data over older."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Context = Mapping[str, Any]

MISSING = object()


def lookup(context: Any, path: str) -> Any:
    """The value at a dotted path, `MISSING` if there is none. A whole number steps into a list.

    A key that itself contains dots is found where the whole rest of the path is the key.
    """
    value = context
    steps = path.split(".")
    for number, step in enumerate(steps):
        if isinstance(value, Mapping):
            if step in value:
                value = value[step]
            else:
                return value.get(".".join(steps[number:]), MISSING)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def merge(older: Context, newer: Context) -> dict[str, Any]:
    """`newer` laid over `older`: objects merge key by key, everything else (lists too) is replaced."""
    merged = dict(older)
    for key, value in newer.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(before, value)
        else:
            merged[key] = value
    return merged


def paths(context: Context, prefix: str = "") -> Iterator[str]:
    """Every dotted path of the objects in it, parents before children."""
    for key, value in context.items():
        yield prefix + str(key)
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")


def too_deep(value: Any, limit: int) -> bool:
    """Whether objects and lists are nested deeper than `limit`. Does not recurse: that is the point of it."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, (Mapping, list))
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return False
    return True
