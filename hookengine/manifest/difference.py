"""Where two definitions differ, in the words of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.manifest.document import Location, spell
from hookengine.manifest.wording import worded

HIDDEN: Final = "(hidden)"
_SECRET: Final = re.compile(r"auth|token|secret|password|key|cookie|signature", re.IGNORECASE)
_NOT_THERE: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`field` as people write it, such as `settings.request_body.state`; None where it says nothing."""

    field: str
    before: Any
    after: Any


def differences(
    before: Pipeline | Hook | IncomingHook, after: Pipeline | Hook | IncomingHook
) -> Iterator[Difference]:
    """Texts that may be secrets in the open are told as hidden; those with templates in them refer to secrets."""
    for at, old, new in _walk(worded(before), worded(after), ()):
        yield Difference(field=spell(at), before=_shown(old, at), after=_shown(new, at))


def _walk(before: Any, after: Any, at: Location) -> Iterator[tuple[Location, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("name") != after.get("name") and "value" in before:
            yield at, before, after
            return
        for key in dict.fromkeys([*before, *after]):
            yield from _walk(before.get(key, _NOT_THERE), after.get(key, _NOT_THERE), (*at, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, (*at, number))
    elif before is not after and (type(before) is not type(after) or before != after):
        yield at, before, after


def _shown(value: Any, at: Location) -> Any:
    if value is _NOT_THERE:
        return None
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "value" in value:  # a header
            return {**value, "value": _shown(value["value"], (*at, value["name"]))}
        return {key: _shown(inner, (*at, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner, at) for inner in value]
    hides = isinstance(value, str) and "{{" not in value and _may_be_secret(at)
    return HIDDEN if hides else value


def _may_be_secret(at: Location) -> bool:
    """A header's value stands under its number: all of them are taken for secrets."""
    name = next((step for step in reversed(at) if isinstance(step, str)), "")
    in_header = name == "value" and "request_headers" in at
    return in_header or (
        _SECRET.search(name) is not None and at[:1] not in {("lane",), ("signing",), ("secret",)}
    )
