"""Waiting for deliveries to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

from hookengine.cli import showing
from hookengine.cli.failing import AnswerIsNo
from hookengine.cli.progress import progress
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client

LOOK_EVERY: Final = 0.3  # seconds
_WELL: Final = ("delivered", "superseded")
_ENDED: Final = (*_WELL, "failed", "cancelled")


def wait_for(
    client: Client,
    deliveries: Sequence[str],
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Tells how each has ended. Raises AnswerIsNo if one did not end well, or not in time."""
    until = now() + seconds
    ended: dict[str, str] = {}
    with progress(len(deliveries), now) as tell:
        while True:
            ended |= _look(client, [name for name in deliveries if name not in ended])
            tell(len(ended), "ended")
            if len(ended) == len(deliveries) or now() >= until:
                break
            sleep(LOOK_EVERY)
    _judge(deliveries, ended)


def _look(client: Client, names: Iterable[str]) -> dict[str, str]:
    """Those that have ended since, with their status."""
    ended = {}
    for name in names:
        found = client.get("/api/deliveries/{}", identity=name)
        if found["status"] in _ENDED:
            ended[name] = str(found["status"])
            because = f": {plain(found['because'])}" if found["because"] else ""
            click.echo(f"{name} is {showing.status(found['status'])}{because}", err=True)
    return ended


def _judge(deliveries: Sequence[str], ended: dict[str, str]) -> None:
    waits = len(deliveries) - len(ended)
    if waits:
        raise AnswerIsNo(f"{waits} of {len(deliveries)} still wait; `hookengine deliveries list` tells why")
    lost = [name for name, status in ended.items() if status not in _WELL]
    if lost:
        raise AnswerIsNo(f"{len(lost)} of {len(deliveries)} were not delivered")
