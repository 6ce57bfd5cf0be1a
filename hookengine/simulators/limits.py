"""Rate limits: so many requests of one account in any stretch of so many seconds."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass

SECOND = 1000  # milliseconds


@dataclass(frozen=True, kw_only=True)
class Limit:
    count: int
    seconds: int


class Window:
    """Counts the requests that were let through; those that were refused do not count."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._passed: defaultdict[str, deque[int]] = defaultdict(deque)

    def wait(self, account: str, now: int) -> int:
        """Whole seconds until this account may call again; 0 when this request may pass, which counts it."""
        passed, length = self._passed[account], self.limit.seconds * SECOND
        while passed and passed[0] <= now - length:
            passed.popleft()
        if len(passed) < self.limit.count:
            passed.append(now)
            return 0
        return math.ceil((passed[0] + length - now) / SECOND)
