"""Captures: values taken from an answer, which later requests of the same lane and action are sent with.

What a target answers is nobody's word but its own: a value is plain, short and untyped text to whoever shows
it, and enters a request only in the places and by the encodings that the request was rendered with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

import orjson

from hookengine.domain.context import MISSING, lookup

LONGEST: Final = 500
"""Characters of a captured value."""

Captured = Mapping[str, str]
"""The values of a lane and action by their names, each as JSON text."""

_IN_URL: Final = re.compile(r"<captured\.(\w+)>")
_NO_SEGMENT: Final = frozenset({"", ".", ".."})


class CaptureMissing(Exception):
    """A request cannot be made: a value it is sent with is not known, or does not fit its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What stands at the dotted `path` of an answer's JSON is known by `name`. `optional`: it may not be there."""

    name: str
    path: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capturing:
    """What a request takes from its answer, and what it uses of earlier ones."""

    takes: tuple[Capture, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaptureRef:
    """A hole for a captured value. In the URL of a request it stands as its text.

    `place` says how the value is written: `plain` in a header, `string` within a string of JSON, `value` as JSON
    of its own type, `member` as that with its key and what parts it from the member before, all in `before`:
    left out together while nothing is known.
    """

    name: str
    place: Literal["plain", "string", "value", "member"] = "plain"
    before: str = ""
    optional: bool = False

    def __str__(self) -> str:
        """For people, and in a body of JSON still JSON."""
        shown = f"<captured.{self.name}>"
        return f'{self.before}"{shown}"' if self.place in ("value", "member") else shown

    def filled(self, captured: Captured) -> str:
        """Raises CaptureMissing."""
        if self.place == "member" and self.name not in captured:
            return ""
        value = _known(self.name, captured)
        if self.place in ("value", "member"):
            return f"{self.before}{value}"
        text = _text(value)
        if self.place == "string":
            return json.dumps(text, ensure_ascii=False)[1:-1]
        if not (text.isascii() and text.isprintable()):
            raise CaptureMissing(f"captured.{self.name} holds characters that no header can")
        return text


def fill_url(url: str, captured: Captured) -> str:
    """The URL with values encoded for their places, each at most one segment. Raises CaptureMissing."""

    def encoded(found: re.Match[str]) -> str:
        text = _text(_known(found[1], captured))
        if text in _NO_SEGMENT:
            raise CaptureMissing(f"captured.{found[1]} is no segment of a path")
        try:
            return quote(text, safe="")
        except UnicodeEncodeError:
            raise CaptureMissing(f"captured.{found[1]} is not valid Unicode") from None

    return _IN_URL.sub(encoded, url)


def without_captures(url: str) -> str:
    """The URL as it might be, to judge what does not depend on captures."""
    return _IN_URL.sub("0", url)


def take(captures: Sequence[Capture], body: str) -> tuple[dict[str, str], str]:
    """The values found in an answer; and why it cannot be what was asked for, empty if it can."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = MISSING
    taken: dict[str, str] = {}
    problem = ""
    for capture in captures:
        value = MISSING if answer is MISSING else lookup(answer, capture.path)
        if _is_plain(value):
            taken[capture.name] = orjson.dumps(value).decode()
        elif not capture.optional and not problem:
            problem = f"its answer has no {capture.path} that could be kept as captured.{capture.name}"
    return taken, problem


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return isinstance(value, float) and value - value == 0  # finite


def _known(name: str, captured: Captured) -> str:
    if name not in captured:
        raise CaptureMissing(f"captured.{name} is not known: no answer in its lane has told it")
    return captured[name]


def _text(value: str) -> str:
    """Of a value as JSON: a text itself, anything else as it is written."""
    return str(json.loads(value)) if value.startswith('"') else value
