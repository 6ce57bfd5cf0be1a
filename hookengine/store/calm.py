"""When a group of calls begins: the more share a transaction, the less each one costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Final

TURNS: Final = 2  # of the loop in which nobody has to have asked for anything


async def calm(calls: Sized, enough: int) -> None:
    """Until nothing that the loop is at leads to another call, or there are `enough`. Nobody waits by the clock:
    a loop with nothing to do is calm at once."""
    seen = turns = 0
    while turns < TURNS and len(calls) < enough:
        turns = turns + 1 if len(calls) == seen else 0
        seen = len(calls)
        await asyncio.sleep(0)
