"""Events that come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookengine.domain.event import DEEPEST, Event
from hookengine.errors import InvalidEvent


def levels_in(text: bytes) -> int:
    """How deep objects and lists in a JSON text may be nested: it has an opening bracket for each level."""
    return text.count(b"{") + text.count(b"[")


def parse_all(documents: Sequence[Any], levels: int = DEEPEST + 1) -> list[Event]:
    """Of plain JSON values of at most so many levels. Raises InvalidEvent with what is wrong with each of them."""
    events: list[Event] = []
    wrong: dict[str, list[str]] = {}
    for index, document in enumerate(documents):
        try:
            events.append(Event.parse(document, levels))
        except InvalidEvent as error:
            wrong.update(at_index(error.errors, index, len(documents)))
    if wrong:
        raise InvalidEvent(wrong)
    return events


def at_index(errors: Mapping[str, list[str]], index: int, of: int) -> dict[str, list[str]]:
    """Fields of one event in a list are told with their place in it."""
    return {f"[{index}].{field}" if of > 1 else field: messages for field, messages in errors.items()}
