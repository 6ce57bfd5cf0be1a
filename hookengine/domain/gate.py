"""Gates: what all nodes know of a host, or of a credential at a host, that decides whether a request may go.

A host's gate is a circuit. Closed, everything passes. After failures in a row it opens: nothing passes until
`open_at`, then one request does (half-open). Its success closes the circuit, and the requests that waited
leave at a rate that doubles every second. A credential's gate keeps its rate, and the pause its host asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hookengine.domain.clock import Millis
from hookengine.domain.rate import Rate

TRIP_AFTER = 10  # failures in a row
FIRST_BREAK: Millis = 5_000
LONGEST_BREAK: Millis = 300_000
FIRST_SECOND = 4  # requests that pass in the first second after a circuit closed again
RECOVERED = 1_024  # a second: from here on nothing is counted any more
_SECOND: Millis = 1000


class Circuit(StrEnum):
    CLOSED = "closed"  #: everything passes
    OPEN = "open"  #: nothing passes
    HALF_OPEN = "half-open"  #: one request passes, to see


@dataclass(slots=True, kw_only=True)
class Gate:
    """Nothing passes before `open_at`. `failures` since the host was last heard of; `trips`: how often in a
    row its circuit opened; `probed_at`: when the one request left that a half-open circuit let through.

    `passed` holds when requests passed, as far back as a rate or a recovery asks; `recovering_since` is
    when the circuit closed, as long as that matters. -1 stands for never.
    """

    key: str
    open_at: Millis = 0
    failures: int = 0
    trips: int = 0
    probed_at: Millis = -1
    recovering_since: Millis = -1
    passed: list[Millis] = field(default_factory=list)

    def circuit(self, now: Millis) -> Circuit:
        if not self.trips:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_at and self.probed_at < 0 else Circuit.HALF_OPEN

    def admits(self, now: Millis, rate: Rate | None = None) -> bool:
        """Whether a request may pass now; if not, `open_at` says when to ask again."""
        if now < self.open_at:
            return False
        allowed = self._allowed(now, rate)
        if allowed is None or self.trips:
            return True
        count, period = allowed
        recent = [instant for instant in self.passed if instant > now - period]
        if len(recent) < count:
            return True
        self.open_at = recent[-count] + period
        return False

    def pass_through(self, now: Millis, lease: Millis, rate: Rate | None = None) -> bool:
        """A request passes; whether this is worth remembering.

        Of a half-open circuit it is the only one, for as long as its lease lasts. One without a rate is not
        counted by those that have one.
        """
        if self.trips:
            self.probed_at, self.open_at = now, now + lease
            return True
        allowed = self._allowed(now, rate)
        if allowed is None:
            recovered = self.recovering_since >= 0
            if recovered:
                self.recovering_since, self.passed = -1, []
            return recovered
        self.passed = [instant for instant in self.passed if instant > now - allowed[1]] + [now]
        return True

    def fail(self, now: Millis, jitter: float) -> bool:
        """Nothing sensible was heard from the host; whether its circuit opens now. `jitter` is 0 to 1."""
        self.failures += 1
        opens = self.trips == 0
        if self.failures < TRIP_AFTER if opens else self.probed_at < 0:
            return False  # not enough yet, or it was under way already when the circuit opened
        self.trips += 1
        self.probed_at, self.recovering_since, self.passed = -1, -1, []
        self.open_at = now + round(_break_after(self.trips) * (1 + jitter))
        return opens

    def succeed(self, now: Millis) -> bool:
        """The host answered; whether this closes its circuit."""
        closes = self.trips > 0
        self.failures = 0
        if closes:
            self.trips, self.open_at, self.probed_at = 0, 0, -1
            self.recovering_since, self.passed = now, []
        return closes

    def pause(self, until: Millis) -> None:
        """The host asked for it."""
        self.open_at = max(self.open_at, until)

    def _allowed(self, now: Millis, rate: Rate | None) -> tuple[int, Millis] | None:
        """(count, period) of what may pass; None: any number."""
        if self.recovering_since >= 0:
            doublings = max(now - self.recovering_since, 0) // _SECOND
            count = FIRST_SECOND << min(doublings, 20)
            return None if count >= RECOVERED else (count, _SECOND)
        return None if rate is None else (rate.count, rate.period)


def _break_after(trips: int) -> Millis:
    return min(FIRST_BREAK << min(trips - 1, 20), LONGEST_BREAK)


SUSPECTS = "suspects"
"""Behind this waits what nodes died of while they were sending it, as long as another such is being sent."""


def host_key(host: str) -> str:
    return f"host:{host}"


def account_key(account: str) -> str:
    return f"account:{account}"


def hook_key(hook_id: str) -> str:
    return f"hook:{hook_id}"
