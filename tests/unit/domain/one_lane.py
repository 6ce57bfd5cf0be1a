"""A lane to try the book on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from hookengine.domain.attempt import Accept, Certainty, GiveUp, TryAgain, Verdict
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import HookFacts, Lane, Terms
from hookengine.domain.lane_book import LaneBook
from tests.conftest import NOW, make_delivery, make_lane

SECOND = 1000
HOUR = 3_600_000
DAY = 24 * HOUR
SETTLE = 60 * SECOND
LEASE = 50 * SECOND

DELIVERED = Accept(because="200")
REFUSED = GiveUp(because="422")

QUEUED, SENDING, RETRYING = DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.RETRYING
SUPERSEDED, CANCELLED = DeliveryStatus.SUPERSEDED, DeliveryStatus.CANCELLED
ENDED_WELL, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.FAILED


class OneLane:
    """A lane with all its deliveries, at a time that moves when told."""

    def __init__(self, policy: LanePolicy = LanePolicy.LATEST) -> None:
        self.lane: Lane = make_lane(policy)
        self.deliveries: dict[str, Delivery] = {}
        self.now: Millis = NOW
        self.hooks: dict[str, HookFacts] = {}
        self._tokens: Iterator[int] = count(1)
        self._repairs: Iterator[int] = count(1)

    def book(self, *, complete: bool = True) -> LaneBook:
        terms = Terms(
            now=self.now,
            settle=SETTLE,
            lease=LEASE,
            new_token=lambda: next(self._tokens),
            new_id=lambda: f"repair_{next(self._repairs)}",
            hooks=self.hooks,
        )
        book = LaneBook(self.lane, self.deliveries, terms, complete=complete)
        self.deliveries = book.deliveries
        return book

    def accept(self, delivery_id: str, *, scope: str | None = "pipeline:1", **changes: object) -> Delivery:
        arrival = make_delivery(delivery_id, **{"accepted_at": self.now, **changes})
        self.book().accept(arrival, scope)
        return arrival

    def lease(self) -> Delivery | None:
        return self.book().lease()

    def finish(self, verdict: Verdict, certainty: Certainty = Certainty.REFUSED) -> None:
        """Of an attempt that began a second ago."""
        self.book().finish(verdict, certainty, self.now - SECOND)

    def time_out(self) -> None:
        self.finish(TryAgain(at=self.now + 5 * SECOND, because="timed out"), Certainty.DOUBTFUL)

    def deliver(self) -> None:
        assert self.lease() is not None
        self.pass_time(SECOND)
        self.finish(DELIVERED, Certainty.APPLIED)

    def pass_time(self, millis: Millis) -> None:
        self.now += millis

    @property
    def statuses(self) -> dict[str, DeliveryStatus]:
        return {row.id: row.status for row in self.deliveries.values()}

    @property
    def repairs(self) -> list[Delivery]:
        return [row for row in self.deliveries.values() if row.repair_of is not None]
