"""Events: what a platform tells us happened to an action."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, TypeGuard

import orjson

from hookengine.domain.clock import EARLIEST, LATEST, Millis, as_text, from_datetime
from hookengine.domain.context import too_deep
from hookengine.domain.struct import struct
from hookengine.errors import InvalidEvent

STATUS_CHANGED = "action.status_changed"
"""In a hook's events: any of the lifecycle types. Never the type of an event."""

RESERVED = frozenset({"event", "secrets", "params", "captured"})
"""Names templates know that an event may not bring along."""

_OF_THE_EVENT = frozenset({"id", "type", "occurred_at"})
"""Names in the document of an event that are no data."""

DEEPEST = 50
"""Levels of objects and lists in an event, so that whatever walks over it may recurse."""

TRIGGER_ID = "trigger:"
"""Begins the ids of events that incoming hooks make of requests, so that one sent twice is known again."""

WATCHDOG_ID = "watchdog:"
"""Begins the ids of events that the watchdog makes, the same on every node."""

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LARGEST_ID = (1 << 63) - 1  # what a database's whole numbers hold
_LARGEST_NUMBER = (1 << 40) - 1
_LARGEST_ATTEMPT = (1 << 20) - 1


Watched = tuple[Millis | None, int | None]


class Lifecycle(StrEnum):
    QUEUED = "action.queued"
    STARTED = "action.started"
    COMPLETED = "action.completed"
    FAILED = "action.failed"
    CANCELLED = "action.cancelled"
    TIMED_OUT = "action.timed_out"  #: made by the engine's own watchdog

    @classmethod
    def values(cls) -> frozenset[str]:
        return _LIFECYCLE


_LIFECYCLE = frozenset(str(member) for member in Lifecycle)

STATUS: Mapping[str, str] = {
    Lifecycle.QUEUED: "queued",
    Lifecycle.STARTED: "in-progress",
    Lifecycle.COMPLETED: "completed",
    Lifecycle.FAILED: "failed",
    Lifecycle.CANCELLED: "cancelled",
    Lifecycle.TIMED_OUT: "timed_out",
}
"""What `action.status` is after an event of this type, unless the event itself says otherwise."""


class Rank(IntEnum):
    """How far an action has come; a lane of policy `latest` never goes back in it."""

    QUEUED = 0
    STARTED = 1
    FINISHED = 2

    @classmethod
    def of(cls, event_type: str) -> Rank:
        """Types outside the lifecycle count as something that happens while the action runs."""
        if event_type == Lifecycle.QUEUED:
            return cls.QUEUED
        return cls.FINISHED if event_type in _TERMINAL else cls.STARTED


_TERMINAL = frozenset(
    str(member) for member in Lifecycle if member not in (Lifecycle.QUEUED, Lifecycle.STARTED)
)


@struct()
class Event:
    """One thing that happened to an action, as it was told; immutable.

    `data` is everything the event brought to the context: `action`, `application` and other objects.
    `number` orders the actions of one pipeline and holds the platform's number and attempt; None if the
    platform sent no number. One with `if_open_since` counts only while its action has been open since then.
    """

    id: str | None
    type: str
    occurred_at: Millis | None
    action_id: int | str
    pipeline: int | str
    number: int | None
    data: Mapping[str, Any] = field(repr=False)  # with the secrets it brings
    if_open_since: Millis | None = None

    @property
    def rank(self) -> Rank:
        return Rank.of(self.type)

    def facts(self, event_id: str, accepted_at: Millis) -> dict[str, Any]:
        """What templates see as `event`."""
        occurred_at = self.occurred_at if self.occurred_at is not None else accepted_at
        return {"id": event_id, "type": self.type, "occurred_at": as_text(occurred_at)}

    @classmethod
    def parse(cls, document: Any, levels: int = DEEPEST + 1) -> Event:
        """From the document a platform sends, which has at most so many levels of objects and lists.

        Raises InvalidEvent with everything that is wrong.
        """
        return _Reading(document, levels).event()


def digest_of(data: Mapping[str, Any], event: Event) -> str:
    """Of what the event says, `data` being its data after secrets were taken out: a resent event is equal."""
    said = [event.type, event.occurred_at, str(event.action_id), event.pipeline, event.number, data]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


class _Reading:
    """One pass over a document that collects all mistakes before it complains."""

    def __init__(self, document: Any, levels: int) -> None:
        if not isinstance(document, dict):
            raise InvalidEvent({"event": ["An event is a JSON object with `type` and `action`."]})
        if levels > DEEPEST and too_deep(document, DEEPEST):
            raise InvalidEvent({"event": [f"Objects and lists may be nested {DEEPEST} deep, not deeper."]})
        self._document = document
        self._errors: dict[str, list[str]] = {}

    def event(self) -> Event:
        action = self._object("action")
        event = Event(
            id=self._event_id(),
            type=self._type(),
            occurred_at=self._occurred_at(),
            action_id=self._action_id(action),
            pipeline=self._pipeline(action),
            number=self._number(action),
            data=self._data(),
        )
        if self._errors:
            raise InvalidEvent(self._errors)
        return event

    def _wrong(self, field: str, message: str) -> None:
        self._errors.setdefault(field, []).append(message)

    def _object(self, field: str) -> Mapping[str, Any]:
        value = self._document.get(field)
        if isinstance(value, dict):
            return value
        self._wrong(field, f"The {field} field is required and must be an object.")
        return {}

    def _event_id(self) -> str | None:
        value = self._document.get("id")
        if value is None:
            return None
        if isinstance(value, str) and value.startswith((TRIGGER_ID, WATCHDOG_ID)):
            self._wrong("id", f"Ids that begin with {value.partition(':')[0]}: are the engine's own.")
            return None
        if isinstance(value, str) and _ID.fullmatch(value):
            return value
        self._wrong("id", "The id must be 1 to 200 visible ASCII characters; leave it out to have one made.")
        return None

    def _type(self) -> str:
        value = self._document.get("type")
        if value == STATUS_CHANGED:
            self._wrong(
                "type", f"{STATUS_CHANGED} is for hooks; an event says which status, such as action.started."
            )
        elif isinstance(value, str) and len(value) <= 100 and _TYPE.fullmatch(value):
            return value
        else:
            known = ", ".join(Lifecycle)
            self._wrong("type", f"The type is required: one of {known}, or another lower-case `word.word`.")
        return ""

    def _occurred_at(self) -> Millis | None:
        value = self._document.get("occurred_at")
        if value is None:
            return None
        try:
            moment = from_datetime(datetime.fromisoformat(value))
            if not EARLIEST <= moment <= LATEST:  # in UTC it may lie before the year 1 or after 9999
                raise OverflowError
        except (TypeError, ValueError, OverflowError):
            self._wrong("occurred_at", "The time must be RFC 3339 with a zone, such as 2026-11-22T10:15:00Z.")
            return None
        return moment

    def _action_id(self, action: Mapping[str, Any]) -> int | str:
        value = action.get("id")
        if type(value) is int and abs(value) <= _LARGEST_ID:
            return value
        if _is_name(value):
            return value
        if "action" not in self._errors:
            self._wrong(
                "action.id",
                "The action's id is required: a whole number of 63 bits or a text of up to 200 characters.",
            )
        return 0

    def _pipeline(self, action: Mapping[str, Any]) -> int | str:
        value = action.get("pipeline")
        if isinstance(value, dict):
            value = value.get("id", value.get("name"))
        if type(value) is int and 0 < value <= _LARGEST_ID:
            return value
        if _is_name(value):
            return value
        if "action" not in self._errors:
            self._wrong(
                "action.pipeline", "The action's pipeline is required: its id (up to 63 bits) or its name."
            )
        return 0

    def _number(self, action: Mapping[str, Any]) -> int | None:
        number, attempt = action.get("number"), action.get("attempt", 0)
        if number is None:
            return None
        if not _is_count(number, _LARGEST_NUMBER):
            self._wrong("action.number", f"The number must be a whole number from 0 to {_LARGEST_NUMBER}.")
        elif not _is_count(attempt, _LARGEST_ATTEMPT):
            self._wrong("action.attempt", f"The attempt must be a whole number from 0 to {_LARGEST_ATTEMPT}.")
        return order_of(action)

    def _data(self) -> dict[str, Any]:
        data = {key: value for key, value in self._document.items() if key not in _OF_THE_EVENT}
        for key, value in data.items():
            if key in RESERVED:
                self._wrong(key, f"`{key}` is the engine's own name; send this data under another one.")
            elif not isinstance(value, dict) and key != "action":
                self._wrong(key, "Beside id, type and occurred_at an event holds objects only.")
        return data


def key_of(pipeline_id: int, event_id: str) -> str:
    """Under which an event is kept: ids are each pipeline's own, so that nobody can take another's."""
    return f"{pipeline_id}:{event_id}"


def id_in(key: str) -> str:
    """The event's id, as it was told."""
    return key.partition(":")[2]


def order_of(action: Mapping[str, Any]) -> int | None:
    """The platform's own order of an action, its number before its attempt; None if it has no number."""
    number, attempt = action.get("number"), action.get("attempt", 0)
    if not _is_count(number, _LARGEST_NUMBER) or not _is_count(attempt, _LARGEST_ATTEMPT):
        return None
    return int(number) << 20 | int(attempt)  # type: ignore[arg-type]


def _is_name(value: Any) -> TypeGuard[str]:
    """PostgreSQL stores no NUL."""
    return isinstance(value, str) and 0 < len(value) <= 200 and "\0" not in value


def _is_count(value: Any, largest: int) -> bool:
    return type(value) is int and 0 <= value <= largest


def watched(event: Event, now: Millis, open_since: Millis | None, ended_number: int | None) -> Watched:
    """Whether its action is open after this event: (open since when, the number it ended with).

    None for what it is not; -1 for the number of an end without one. What is told of a run that has ended
    does not open it again; a run of a higher number does.
    """
    if event.type not in Lifecycle.values():
        return open_since, ended_number
    number = -1 if event.number is None else event.number
    if event.rank is Rank.FINISHED:
        return None, max(number, -1 if ended_number is None else ended_number)
    if ended_number is not None and number <= ended_number:
        return open_since, ended_number
    return now, None
