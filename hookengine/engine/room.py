"""What this node has under way, and what it can take on: requests in all, for a host, and for a hook."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

from hookengine.domain.gate import SUSPECTS, hook_key, host_key
from hookengine.domain.lane import Wait
from hookengine.store.calls import Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """How many requests a node may have in flight: in all, to one host, for one hook."""

    node: int = 512
    host: int = 16
    hook: int = 8


class NodeRoom:
    """Asked from the node's loop and from the store's thread: see `hookengine.store.calls.Room`.

    One slow host, or one busy hook, takes its own share only. Of the deliveries that nodes died of one is
    sent at a time, so that the next death names the guilty one.
    """

    def __init__(self, limits: InFlight) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._taken = 0
        self._hosts: Counter[str] = Counter()
        self._hooks: Counter[str] = Counter()
        self._suspects = 0
        self._open = False

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        """From now on nothing is taken on."""
        self._open = False

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def free(self) -> int:
        return max(self._limits.node - self._taken, 0) if self._open else 0

    def take(self, seat: Seat) -> Wait | None:
        with self._lock:
            if not self.free:
                return Wait()
            if self._hosts[seat.host] >= self._limits.host:
                return Wait(behind=host_key(seat.host))
            if self._hooks[seat.hook_id] >= self._limits.hook:
                return Wait(behind=hook_key(seat.hook_id))
            if seat.suspect and self._suspects:
                return Wait(behind=SUSPECTS)
            self._add(seat, 1)
            return None

    def give(self, seat: Seat) -> None:
        with self._lock:
            self._add(seat, -1)

    def for_what_waits(self, key: str) -> int:
        if key == SUSPECTS:
            return min(1 - self._suspects, self.free)
        kind, _, name = key.partition(":")
        if kind == "host":
            return min(self._limits.host - self._hosts[name], self.free)
        if kind == "hook":
            return min(self._limits.hook - self._hooks[name], self.free)
        return self.free

    def _add(self, seat: Seat, count: int) -> None:
        self._taken += count
        self._suspects += count * seat.suspect
        for counter, name in ((self._hosts, seat.host), (self._hooks, seat.hook_id)):
            counter[name] += count
            if not counter[name]:
                del counter[name]
