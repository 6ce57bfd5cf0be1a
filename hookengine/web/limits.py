"""How much may come in: bytes of a body, requests of a token, wrong tokens of an address."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hookengine.domain.token import Token

MOST_KEYS = 10_000
"""Of those that are counted; the one that was longest quiet is forgotten for a new one."""

AT_ONCE = 10  # seconds' worth of requests that may come in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`largest_body` in bytes, and `larger` ones by path, each with the setting that says so. 0: no limit of
    requests or failures."""

    largest_body: int
    larger: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    requests_per_second: int = 0
    failures_per_minute: int = 0

    def body_at(self, path: str) -> tuple[int, str]:
        return self.larger.get(path, (self.largest_body, "server.max_body"))


class Allowance:
    """For each key `per_second`, and up to `at_once` saved up."""

    def __init__(self, per_second: float, at_once: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how much, and when that was

    def wait(self, key: str) -> float:
        """Seconds until there is one; 0 if there is."""
        return max(0.0, 1 - self._now(key)) / self._per_second if self._per_second else 0.0

    def take(self, key: str) -> None:
        """Of one that is not there yet nothing is owed later."""
        if not self._per_second:
            return
        self._left[key] = (max(0.0, self._now(key) - 1), self._clock())
        self._left.move_to_end(key)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)

    def _now(self, key: str) -> float:
        left, since = self._left.get(key, (self._at_once, 0.0))
        return min(self._at_once, left + (self._clock() - since) * self._per_second)


class Limiter:
    """Answers are how many seconds to wait; 0: come in.

    An address that has sent too many wrong tokens is let in only with tokens that were right there before, so that
    nobody learns by trying on which one is right, and who shares its address with a stranger is not shut out.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        per_second = bounds.requests_per_second
        self._requests = Allowance(per_second, per_second * AT_ONCE, clock)
        self._failures = Allowance(bounds.failures_per_minute / 60, bounds.failures_per_minute, clock)
        self._seen: OrderedDict[tuple[str, str], None] = (
            OrderedDict()
        )  # addresses with tokens that were right

    def entry(self, address: str, caller: Token | None) -> int:
        """Of whoever shows this token, None being a wrong one."""
        wait = self._failures.wait(address)
        if caller is None:
            if not wait:
                self._failures.take(address)
            return math.ceil(wait)
        if wait and (address, caller.id) not in self._seen:
            return math.ceil(wait)
        self._seen[address, caller.id] = None
        self._seen.move_to_end((address, caller.id))
        if len(self._seen) > MOST_KEYS:
            self._seen.popitem(last=False)
        return 0

    def request(self, caller: Token) -> int:
        wait = self._requests.wait(caller.id)
        if not wait:
            self._requests.take(caller.id)
        return math.ceil(wait)
