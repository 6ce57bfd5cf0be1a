"""How far something has come: a bar on a terminal, a line now and then where that is none. All of it on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console

Told = Callable[[int, str], None]
"""How many are done, and a word on it."""

EVERY: Final = 5.0  # seconds between two lines, at most
STEP: Final = 10  # percent that make a line at once


@contextmanager
def progress(total: int, now: Callable[[], float] = time.monotonic) -> Iterator[Told]:
    if not sys.stderr.isatty():
        yield _Lines(total, now).tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[word]}"), TimeElapsedColumn())
    with Progress(*columns, console=_console(), transient=True) as bar:
        task = bar.add_task("", total=total, word="")

        def tell(done: int, word: str) -> None:
            bar.update(task, completed=done, word=word)

        yield tell


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """Something that does not tell how far it is."""
    if not sys.stderr.isatty():
        yield
        return
    with _console().status(doing):
        yield


class _Lines:
    def __init__(self, total: int, now: Callable[[], float]) -> None:
        self._total = total
        self._now = now
        self._told_at = now()
        self._told: tuple[int, str] | None = None

    def tell(self, done: int, word: str) -> None:
        share = 100 if not self._total else done * 100 // self._total
        step = share // STEP, word
        if step != self._told or self._now() - self._told_at >= EVERY:
            self._told, self._told_at = step, self._now()
            click.echo(f"{done} of {self._total} ({word})", err=True)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, no_color=bool(os.environ.get("NO_COLOR")))
