"""Previews of hooks, and tests that were sent, as people and programs are shown them, in the words of `views`."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from hookengine.domain.attempt import OutcomeWord
from hookengine.domain.views import HookName, LaneName, Request


class TemplateMistake(TypedDict):
    """`line` and `column` count from 1 inside the template's own text; 0 means unknown."""

    message: str
    field: str
    line: int
    column: int
    hint: str


class Preview(TypedDict):
    """`before` are the requests that go before `request`; `check` asks what the target shows."""

    hook: HookName
    matches: bool
    why_not: str | None
    before: list[Request]
    request: Request | None
    check: Request | None
    lane: LaneName | None
    error: TemplateMistake | None


class SentTest(TypedDict):
    id: str
    outcome: OutcomeWord
    because: str
    detail: dict[str, Any]


class Tested(Preview):
    """`sent` is null when there was nothing to send."""

    sent: SentTest | None
