"""What this node has under way, and what it can take on: requests in all, for a host, and for a hook."""

from __future__ import annotations

import threading
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
        self._hosts: dict[str, int] = {}
        self._hooks: dict[str, int] = {}
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
        host, hook, suspect = seat
        with self._lock:
            if not self.free:
                return Wait()
            at_host, of_hook = self._hosts.get(host, 0), self._hooks.get(hook, 0)
            if at_host >= self._limits.host:
                return Wait(behind=host_key(host))
            if of_hook >= self._limits.hook:
                return Wait(behind=hook_key(hook))
            if suspect and self._suspects:
                return Wait(behind=SUSPECTS)
            self._taken += 1
            self._suspects += suspect
            self._hosts[host], self._hooks[hook] = at_host + 1, of_hook + 1
            return None

    def give(self, seat: Seat) -> None:
        host, hook, suspect = seat
        with self._lock:
            self._taken -= 1
            self._suspects -= suspect
            _lower(self._hosts, host)
            _lower(self._hooks, hook)

    def for_what_waits(self, key: str) -> int:
        if key == SUSPECTS:
            return min(1 - self._suspects, self.free)
        kind, _, name = key.partition(":")
        if kind == "host":
            return min(self._limits.host - self._hosts.get(name, 0), self.free)
        if kind == "hook":
            return min(self._limits.hook - self._hooks.get(name, 0), self.free)
        return self.free


def _lower(counts: dict[str, int], name: str) -> None:
    """What comes to nothing is not kept: templates can make up any number of hosts."""
    left = counts.get(name, 0) - 1
    if left:
        counts[name] = left
    else:
        counts.pop(name, None)
