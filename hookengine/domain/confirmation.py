"""Confirmations: asking a target what it shows after it was told, and whether that is what it should."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hookengine.domain.capture import Capture
from hookengine.domain.context import MISSING, lookup
from hookengine.domain.hook import Confirm, HookRequest


class Unreadable(Exception):
    """What the target answered cannot be what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where an answer tells what is shown: in the first of the `entries` in which all of `match` is as it says,
    at the path `state`. Without `entries` the answer is the list, or the only entry itself. Paths are dotted.

    `expected` is what should stand there.
    """

    entries: str
    match: tuple[tuple[str, str], ...]
    state: str
    expected: str

    def shown_in(self, body: str) -> str | None:
        """None if nothing is shown. Raises Unreadable."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable("the answer is no JSON, or too long") from None
        found = lookup(answer, self.entries) if self.entries else answer
        if found is MISSING:
            raise Unreadable(f"the answer has no {self.entries}")
        for entry in found if isinstance(found, list) else [found]:
            if all(_text(lookup(entry, path)) == text for path, text in self.match):
                state = lookup(entry, self.state)
                return None if state is MISSING else _text(state)
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is MISSING else json.dumps(value)


def question(confirm: Confirm) -> HookRequest:
    """As a request; its body, which is not sent, holds the templates of what is looked for."""
    return HookRequest(
        target_url=confirm.target_url,
        method="GET",
        headers=confirm.headers,
        body={"match": dict(confirm.match), "expected": confirm.expected},
        captures=(Capture(name="state", path=confirm.state, optional=True),),
    )


def reading(confirm: Confirm, body: str) -> Reading:
    """Of what the body of its question came to."""
    said = json.loads(body)
    return Reading(
        entries=confirm.entries,
        match=tuple((path, str(_text(text))) for path, text in said["match"].items()),
        state=confirm.state,
        expected=str(_text(said["expected"])),
    )
