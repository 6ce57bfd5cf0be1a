"""Events that come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookengine.domain.event import Event
from hookengine.errors import InvalidEvent


def parse_all(documents: Sequence[Any]) -> list[Event]:
    """Of plain JSON values. Raises InvalidEvent with what is wrong with each of them."""
    events: list[Event] = []
    wrong: dict[str, list[str]] = {}
    for index, document in enumerate(documents):
        try:
            events.append(Event.parse(document))
        except InvalidEvent as error:
            wrong.update(at_index(error.errors, index, len(documents)))
    if wrong:
        raise InvalidEvent(wrong)
    return events


def at_index(errors: Mapping[str, list[str]], index: int, of: int) -> dict[str, list[str]]:
    """Fields of one event in a list are told with their place in it."""
    return {f"[{index}].{field}" if of > 1 else field: messages for field, messages in errors.items()}
