"""The fail-points of a transaction, before and after its commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hookengine.domain.delivery import DeliveryStatus
from hookengine.errors import StoreError
from hookengine.failpoints import ARMED, reach
from hookengine.store.books.asks import Accept, Ask
from hookengine.store.books.desk import Desk


def before_commit(asks: Sequence[Ask], desk: Desk) -> None:
    _reach_all("before_commit", asks, desk)


def after_commit(asks: Sequence[Ask], desk: Desk) -> None:
    _reach_all("after_commit", asks, desk)


def _reach_all(when: str, asks: Sequence[Ask], desk: Desk) -> None:
    if ARMED:
        for name, subject in _happening(asks, desk):
            reach(f"{name}.{when}", subject, StoreError)


def _happening(asks: Sequence[Ask], desk: Desk) -> Iterator[tuple[str, str]]:
    """Calls by their names, and what they bring about: rescue, supersede, repair."""
    for ask in asks:
        ids = [owed.id for owed in ask.events] if isinstance(ask, Accept) else []
        yield type(ask).__name__.lower(), " ".join(ids)
    if any(attempt.closed_by == "rescue" for attempt in desk.write.closed):
        yield "rescue", ""
    for row in desk.write.changed_deliveries.values():
        if row.status is DeliveryStatus.SUPERSEDED:
            yield "supersede", row.id
    for _, row in desk.write.new_deliveries.values():
        if row.repair_of is not None:
            yield "repair", row.id
