"""Troubles planned for requests to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hookengine.simulators.records import Received

Choice = Callable[[Received], bool]


@dataclass(frozen=True, kw_only=True)
class Fail:
    """Answer this instead of working, as a proxy in front of the host would."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Work only when the event is set, or after so many seconds."""

    gate: asyncio.Event | float


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Hang up without an answer. With `applied` the host has done its work, and the sender cannot know."""

    applied: bool


@dataclass(frozen=True, kw_only=True)
class _Planned:
    fault: Fail | Hold | Drop
    times: int
    where: Choice | None

    def fits(self, received: Received, *kinds: type) -> bool:
        return isinstance(self.fault, kinds) and (self.where is None or self.where(received))


class Faults:
    """Planned troubles, used up in the order of planning. A request takes at most one hold and one end."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def plan(self, fault: Fail | Hold | Drop, *, times: int = 1, where: Choice | None = None) -> None:
        if times < 1:
            raise ValueError(f"times is {times}: a fault strikes at least once")
        self._planned.append(_Planned(fault=fault, times=times, where=where))

    def clear(self) -> None:
        self._planned.clear()

    def take_hold(self, received: Received) -> Hold | None:
        fault = self._take(received, Hold)
        return fault if isinstance(fault, Hold) else None

    def take_end(self, received: Received) -> Fail | Drop | None:
        fault = self._take(received, Fail, Drop)
        return None if isinstance(fault, Hold) else fault

    def _take(self, received: Received, *kinds: type) -> Fail | Hold | Drop | None:
        for index, planned in enumerate(self._planned):
            if planned.fits(received, *kinds):
                left = [replace(planned, times=planned.times - 1)] if planned.times > 1 else []
                self._planned[index : index + 1] = left
                return planned.fault
        return None
