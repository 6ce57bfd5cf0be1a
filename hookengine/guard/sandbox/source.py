"""Where something stands in a template, and how a refusal says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hookengine.errors import TemplateError

_LINE_END = re.compile(r"\r\n|\r|\n")


class Refusal(Exception):
    """Something is not allowed or cannot be done; whoever knows the place turns it into a TemplateError."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Source:
    """One template text, and the field of the hook it stands in."""

    field: str
    text: str

    def error(self, refusal: Refusal, line: int = 0, written: str = "") -> TemplateError:
        return TemplateError(
            refusal.message,
            field=self.field,
            line=line,
            column=self._column(line, written),
            hint=refusal.hint,
        )

    def _column(self, line: int, written: str) -> int:
        """Of the first place in the line where `written` stands by itself; 0 if there is none."""
        lines = _LINE_END.split(self.text)
        if not written or not 0 < line <= len(lines):
            return 0
        pattern = re.escape(written).replace(r"\|", r"\|\s*")
        if written[0].isalnum() or written[0] == "_":
            pattern = r"(?<![\w.])" + pattern
        if written[-1].isalnum() or written[-1] == "_":
            pattern += r"(?!\w)"
        found = re.search(pattern, lines[line - 1])
        return found.start() + 1 if found else 0


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
        """For what Python raised. Its own text is left out: it may hold values."""
        what = f"`{self.written}` failed" if self.written else "the template failed"
        return self.error(Refusal(f"{what}: {_KINDS.get(type(error), type(error).__name__)}"))


_KINDS: dict[type[Exception], str] = {
    RecursionError: "it is nested too deep",
    MemoryError: "it needs too much memory",
    OverflowError: "a number is too large",
    UnicodeEncodeError: "a text is not valid Unicode",
    UnicodeDecodeError: "a text is not valid Unicode",
}
