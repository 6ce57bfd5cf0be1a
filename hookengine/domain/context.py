"""The plain data templates see: looking things up in it, and laying newer data over older."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

Context = Mapping[str, Any]

MISSING = object()

MARK = "$secret"
"""The only key of the object that stands in a context where a secret was taken out: one value, to `merge`."""

_LONGEST_INDEX = 9


def lookup(context: Any, path: str) -> Any:
    """The value at a dotted path, `MISSING` if there is none. A whole number steps into a list.

    A key that itself contains dots is found where the whole rest of the path is the key.
    """
    value = context
    steps = path.split(".")
    for number, step in enumerate(steps):
        if type(value) is dict or isinstance(value, Mapping):
            if step in value:
                value = value[step]
            else:
                return value.get(".".join(steps[number:]), MISSING)
        elif isinstance(value, list) and _is_index(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdecimal() and len(step) <= _LONGEST_INDEX


def merge(older: Context, newer: Context) -> dict[str, Any]:
    """`newer` laid over `older`: objects merge key by key, everything else (lists, secrets) is replaced."""
    merged = {**older, **newer}
    for key in older.keys() & newer.keys():
        before, value = older[key], newer[key]
        if _is_object(before) and _is_object(value):
            merged[key] = merge(before, value)
    return merged


def _is_object(value: Any) -> TypeGuard[Context]:
    return isinstance(value, dict) and MARK not in value


def paths(context: Context, prefix: str = "") -> Iterator[str]:
    """Every dotted path of the objects in it, parents before children."""
    for key, value in context.items():
        yield prefix + str(key)
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")


def too_deep(value: Any, limit: int) -> bool:
    """Whether objects and lists are nested deeper than `limit`. Does not recurse: that is the point of it."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) is not str and isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return bool(level)
