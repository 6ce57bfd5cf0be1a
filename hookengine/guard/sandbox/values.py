"""The plain data templates work on: what counts as such, and how it becomes text."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined

from hookengine.domain.capture import CaptureRef
from hookengine.domain.request import SecretRef
from hookengine.guard.sandbox.budget import MAX_TEXT, OPERATION
from hookengine.guard.sandbox.source import Refusal

if TYPE_CHECKING:
    from hookengine.guard.sandbox.budget import Run

_FITTING_NAMES = 200  # difflib is slow: only so many names are compared


NO_SEGMENT = re.compile(r"/(?:\.|%2[eE]){0,2}(?=/|$)")
"""Finds in a path a segment that is empty, `.` or `..`, however it is encoded."""


class JsonText(str):
    """Text made by `tojson`, which a JSON text may take in as it is."""

    __slots__ = ()


class PathText(str):
    """Text whose slashes part the segments of a path; each is still to be encoded."""

    __slots__ = ()


class EncodedText(str):
    """Percent-encoded text, which a URL takes in as it is."""

    __slots__ = ()


class Missing(StrictUndefined):
    """A name that is not there. It can be asked whether it is defined and be given a default; that is all.

    `written` is the whole variable as the template has it, `present` the part of it that exists.
    """

    __slots__ = ("keys", "present", "reason", "step", "written")

    def __init__(self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = None):
        super().__init__(name=name)
        self.written = name or ""
        self.reason = hint or ""
        self.present = ""
        self.step = name or ""
        self.keys: Iterable[Any] | None = None

    @classmethod
    def part(cls, written: str, present: str, step: str, holder: Any) -> Missing:
        missing = cls(name=written)
        missing.present, missing.step = present, step
        if isinstance(holder, Mapping):
            missing.keys = holder.keys()
        else:
            missing.reason = f"`{present}` is {a_kind(holder)}"
        return missing

    def extended(self, written: str) -> Missing:
        """A variable further inside of what is missing already."""
        missing = Missing(name=written)
        missing.present, missing.step, missing.keys, missing.reason = (
            self.present,
            self.step,
            self.keys,
            self.reason,
        )
        return missing

    def refusal(self, run: Run) -> Refusal:
        if not self.written:
            return Refusal(self.reason)
        if not self.written[0].isidentifier() or "[...]" in self.written:
            return Refusal(f"there is no `{self.step}` here", self.reason)
        return Refusal(f"{self.written} is not in the context", self._hint(run), self.written)

    def _hint(self, run: Run) -> str:
        if self.reason:
            return self.reason
        keys = run.context.keys() if self.keys is None else self.keys
        where = f"`{self.present}` has" if self.present else "the context has"
        fitting = near(self.step, keys)
        advice = f"did you mean {fitting}?" if fitting else "if it may be absent, add |default('...')"
        return f"{where} no `{self.step}`; {advice}"


def near(name: str, names: Iterable[Any]) -> str:
    """Names like this one, for a hint; empty if there are none."""
    candidates = [str(key) for key in list(names)[:_FITTING_NAMES] if len(str(key)) <= 64]
    found = difflib.get_close_matches(name[:64], candidates, n=3, cutoff=0.6)
    return " or ".join(f"`{match}`" for match in found)


def is_secret(value: Any) -> bool:
    return isinstance(value, SecretRef)


def a_kind(value: Any) -> str:
    """What a value is, in words; never the value itself."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return "not plain data"


_KINDS: tuple[tuple[type[Any], str], ...] = (
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (Mapping, "an object"),
    (SecretRef, "a secret"),
    (CaptureRef, "a captured value"),
)


def refusal_of(run: Run, value: Any, wanted: str) -> Refusal:
    """Why `value` is not what is wanted here."""
    if isinstance(value, Missing):
        return value.refusal(run)
    if isinstance(value, SecretRef):
        return secret_refusal(value)
    if isinstance(value, CaptureRef):
        return capture_refusal(value)
    return Refusal(f"this needs {wanted}, and the value is {a_kind(value)}")


def capture_refusal(capture: CaptureRef) -> Refusal:
    return Refusal(
        f"captured.{capture.name} is known only when the request is sent: it may only be printed",
        f"write {{{{ captured.{capture.name} }}}} in the URL, a header or a body of JSON",
    )


def secret_refusal(secret: SecretRef) -> Refusal:
    return Refusal(
        f"{secret.name} is a secret: it may only be printed into a header",
        "write `Bearer {{ secrets.NAME }}`, {{ secrets.NAME | b64encode }} or "
        "Basic {{ 'user' | basic_auth(secrets.NAME) }} in a header",
    )


def text(run: Run, value: Any) -> str:
    """The text of a text, a number or a truth value; everything else is refused."""
    if type(value) is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, (int, float)):
        return _number_text(value)
    if isinstance(value, str):
        return str.__str__(value)
    if value is None:
        raise Refusal("the value is null, which has no text", "add |default('...')")
    if isinstance(value, list | Mapping):
        raise Refusal(f"the value is {a_kind(value)}, which has no text", "pick a field or use |tojson")
    raise refusal_of(run, value, "a text")


def _number_text(number: float) -> str:
    if isinstance(number, float) and not math.isfinite(number):
        raise Refusal("the value is not a number that can be written")
    try:
        return str(number)
    except ValueError:
        raise Refusal("the number has too many digits") from None


def limited(run: Run, characters: int) -> None:
    """Charge for a text of this length before it is made."""
    if characters > MAX_TEXT:
        raise Refusal("a text becomes larger than 256 KiB", "shorten it with |truncate")
    run.charge(characters)


def weigh(run: Run, value: Any) -> int:
    """Charge for walking through a value, and refuse it if anything in it is not plain data.

    Returns how many characters its texts have together.
    """
    waiting = [value]
    characters = 0
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            characters += len(item)
            run.charge(len(item) + 1)
        elif kind is int or kind is bool or item is None:
            run.charge(1)
        elif kind is list:
            run.charge(OPERATION * (len(item) + 1))
            waiting += item
        elif isinstance(item, Mapping):
            run.charge(OPERATION * (len(item) + 1))
            waiting += item
            waiting += item.values()
        elif kind is float and math.isfinite(item):
            run.charge(1)
        else:
            characters += _weigh_other(run, item)
    return characters


def _weigh_other(run: Run, item: Any) -> int:
    if isinstance(item, float):
        raise Refusal("NaN and infinity are not JSON numbers")
    if not isinstance(item, str | int):
        raise refusal_of(run, item, "plain data")
    characters = len(item) if isinstance(item, str) else 0
    run.charge(characters + 1)
    return characters
