"""Calls that wait to be served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from hookengine.store import settling
from hookengine.store.calls import leases_of

LARGEST_GROUP: Final = 256
PATIENCE: Final = 3.0  # seconds a call waits for a database that is away


@dataclass(slots=True, eq=False)
class Call:
    """`until`: how long it is tried again, by the loop's clock. `alone`: its group has failed."""

    ask: Any
    future: asyncio.Future[Any]
    until: float
    alone: bool = False

    def settle(self, result: Any) -> None:
        """Nobody takes over what was granted to a caller that has lost its patience, or is gone: its leases expire,
        and its room is there again."""
        if self.future.done():
            for leased in leases_of(result):
                self.ask.terms.room.give(leased.seat)
        settling.settle(self.future, result)


def settle(calls: Iterable[Call], result: Any) -> None:
    for call in calls:
        call.settle(result)


class Waiting:
    """In the order they came, which is the order in which they lose their patience."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, ask: Any) -> Call:
        call = Call(ask, self._loop.create_future(), self._loop.time() + PATIENCE)
        self._calls.append(call)
        return call

    def put_back(self, calls: Collection[Call]) -> None:
        self._calls.extendleft(reversed([*calls]))

    def take_out(self, calls: Collection[Call]) -> None:
        self._calls = deque(call for call in self._calls if call not in calls)

    def take_group(self) -> list[Call]:
        """What is there, but those alone that are to be."""
        group: list[Call] = []
        while self._calls and len(group) < LARGEST_GROUP:
            if group and (group[0].alone or self._calls[0].alone):
                break
            group.append(self._calls.popleft())
        return group

    def patience(self) -> float | None:
        """Seconds until one loses it; None if nobody waits."""
        return max(self._calls[0].until - self._loop.time(), 0) if self._calls else None

    def expire(self, because: BaseException) -> None:
        """Those that have lost patience are told so."""
        while self._calls and self._calls[0].until <= self._loop.time():
            self._calls.popleft().settle(because)

    def end(self, because: BaseException) -> None:
        settle(self._calls, because)
        self._calls.clear()
