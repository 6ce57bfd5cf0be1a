"""Taking turns: those who write about the same action go one after another once they have collided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from hookengine.store.calls import ActionKey


class Turns:
    """Of one node. An action is known here for only as long as somebody writes about it, or waits for that."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[ActionKey, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, actions: Iterable[ActionKey]) -> AsyncIterator[None]:
        """Inside, it is this one's turn for all of these actions."""
        async with AsyncExitStack() as held:
            for action in sorted(set(actions)):  # in one order, so that nobody waits for each other
                await held.enter_async_context(self._locks.setdefault(action, asyncio.Lock()))
            yield
