"""What one render may cost, and the state that travels with it."""

from __future__ import annotations

from typing import Any, Final

from jinja2.utils import missing

from hookengine.domain.context import Context
from hookengine.guard.sandbox.source import Hole, Refusal, Site

MAX_SOURCE: Final = 16 * 1024
MAX_NODES: Final = 4_000
MAX_DEPTH: Final = 40
MAX_NESTED_LOOPS: Final = 2
MAX_ITERATIONS: Final = 2_000
MAX_WORK: Final = 4_000_000
MAX_TEXT: Final = 256 * 1024
MAX_OUTPUT: Final = 256 * 1024

OPERATION: Final = 64
"""What a look-up, a call or an element of a list costs, in characters."""


class Run:
    """One render: its context, its values as they come, and what is left of its budget.

    Compiled templates take it for Jinja's own context; it has of that what they use and no more.
    """

    __slots__ = (
        "context",
        "iterations",
        "output",
        "place",
        "recorded",
        "recording",
        "sites",
        "size",
        "values",
        "work",
    )

    def __init__(self, context: Context, sites: tuple[Site, ...], size: int) -> None:
        self.context = context
        self.sites = sites
        self.size = size
        self.place: Site | None = None
        self.values: list[Any] = []
        self.recorded: list[Any] = []
        self.recording: list[list[str | Hole]] = []
        self.work = MAX_WORK
        self.iterations = MAX_ITERATIONS
        self.output = MAX_OUTPUT

    def resolve_or_missing(self, name: str) -> Any:
        return self.context.get(name, missing)

    def charge(self, characters: int) -> None:
        self.work -= characters
        if self.work < 0:
            raise spent()

    def loop(self, rounds: int) -> None:
        self.iterations -= rounds
        if self.iterations < 0:
            raise Refusal(f"its loops take more than {MAX_ITERATIONS:,} rounds", "loop over a shorter list")

    def emit(self, characters: int) -> None:
        self.output -= characters
        if self.output < 0:
            raise Refusal("the request becomes larger than 256 KiB", "send less, or |truncate it")


def spent() -> Refusal:
    return Refusal("the template does too much work", "it may handle 4 million characters in one render")
