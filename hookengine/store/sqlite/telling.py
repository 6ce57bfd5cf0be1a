"""Telling those who wait in the event loop what came of their calls, from a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hookengine.store.settling import settle

Told = tuple[asyncio.Future[Any], Any]
"""Who waits, and for what; an exception is raised where it was called."""


def tell(told: Sequence[Told], loop: asyncio.AbstractEventLoop) -> None:
    """One wake-up of the loop for all of them."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle_all, told)


def _settle_all(told: Sequence[Told]) -> None:
    for future, result in told:
        settle(future, result)
