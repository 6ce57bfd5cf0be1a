"""Where something stands in a template, and how a refusal says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hookengine.errors import TemplateError

_LINE_END = re.compile(r"\r\n|\r|\n")
_TAG = re.compile(r"\{[{%#]")


class Refusal(Exception):
    """Something is not allowed or cannot be done; whoever knows the place turns it into a TemplateError.

    `written` is the part of the template that is at fault, where it is another one than was called.
    """

    def __init__(self, message: str, hint: str = "", written: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.written = message, hint, written


@dataclass(frozen=True, slots=True)
class Source:
    """One template text, and the field of the hook it stands in."""

    field: str
    text: str

    def error(self, refusal: Refusal, line: int = 0, written: str = "") -> TemplateError:
        line, column = self._find(refusal.written or written, line)
        return TemplateError(refusal.message, field=self.field, line=line, column=column, hint=refusal.hint)

    def failure(self, error: Exception, line: int = 0, written: str = "") -> TemplateError:
        """For what Python raised. Its own text is left out: it may hold values."""
        what = f"`{written}` failed" if written else "the template failed"
        refusal = Refusal(
            f"{what}: {_KINDS.get(type(error), type(error).__name__)}", "say it in a simpler way"
        )
        return self.error(refusal, line, written)

    def _find(self, written: str, line: int) -> tuple[int, int]:
        """Line and column where `written` stands by itself, in this line if it does; else of the line's first tag."""
        lines = _LINE_END.split(self.text)
        line = min(max(line, 1), len(lines))
        if written:
            pattern = _alone(written)
            for number in (line, *range(1, len(lines) + 1)):
                found = pattern.search(lines[number - 1])
                if found:
                    return number, found.start() + 1
        first_tag = _TAG.search(lines[line - 1])
        return line, 1 if first_tag is None else first_tag.start() + 1


def _alone(written: str) -> re.Pattern[str]:
    pattern = re.escape(written).replace(r"\|", r"\|\s*")
    if written[0].isalnum() or written[0] == "_":
        pattern = r"(?<![\w.])" + pattern
    if written[-1].isalnum() or written[-1] == "_":
        pattern += r"(?!\w)"
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class Site:
    """One construct of a template: what is called for it at render time, and where it was written."""

    source: Source
    line: int
    written: str
    call: Callable[..., Any]
    steps: tuple[str | int, ...] = ()

    def error(self, refusal: Refusal) -> TemplateError:
        return self.source.error(refusal, self.line, self.written)

    def failure(self, error: Exception) -> TemplateError:
        return self.source.failure(error, self.line, self.written)


@dataclass(frozen=True, slots=True)
class Read:
    """A dotted variable that a template reads, with its place."""

    path: str
    site: Site


_KINDS: dict[type[Exception], str] = {
    RecursionError: "it is nested too deep",
    MemoryError: "it needs too much memory",
    OverflowError: "a number is too large",
    UnicodeEncodeError: "a text is not valid Unicode",
    UnicodeDecodeError: "a text is not valid Unicode",
}


@dataclass(frozen=True, slots=True)
class Hole:
    """Where a value enters a text: `slot` finds it among a run's values, `site` tells where it was written."""

    slot: int
    site: Site
    constant: str | None = None  # the text, where the whole hole is a parameter that is one

    def error(self, error: Exception) -> TemplateError:
        """For a refusal, or for what Python raised."""
        return self.site.error(error) if isinstance(error, Refusal) else self.site.failure(error)


Part = str | Hole
"""Of a text: literal, or a hole."""
