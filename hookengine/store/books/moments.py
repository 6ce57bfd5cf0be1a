"""The fail-points of a transaction, before and after its commit.

Each is named after a call - accept, claim, finish, release, cancel; a claim counts if it leased something - or
after what the calls bring about: rescue, supersede, repair. A transaction reaches a point once, however many
calls share it. The subject of all of them is every event and delivery that the transaction writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hookengine.domain.delivery import DeliveryStatus
from hookengine.errors import StoreError
from hookengine.failpoints import ARMED, reach
from hookengine.store.books.asks import Ask, Claim
from hookengine.store.books.desk import Desk
from hookengine.store.books.steps import Write

Error = Callable[[str], BaseException]


def before_commit(asks: Sequence[Ask], desk: Desk) -> None:
    if ARMED:
        _reach_all("before_commit", asks, desk.write, StoreError)


def after_commit(asks: Sequence[Ask], desk: Desk, error: Error = StoreError) -> None:
    """`error` makes what is raised if the answer to the commit is to be lost."""
    if ARMED:
        _reach_all("after_commit", asks, desk.write, error)


def _reach_all(when: str, asks: Sequence[Ask], write: Write, error: Error) -> None:
    rows = [*write.changed_deliveries.values(), *(row for _, row in write.new_deliveries.values())]
    ids = [event.id for event in write.events] + [name for row in rows for name in (row.id, row.event_key)]
    subject = " ".join(dict.fromkeys(ids))
    for name in dict.fromkeys(_happening(asks, write)):
        reach(f"{name}.{when}", subject, error)


def _happening(asks: Sequence[Ask], write: Write) -> Iterator[str]:
    for ask in asks:
        if write.opened or not isinstance(ask, Claim):
            yield type(ask).__name__.lower()
    if any(attempt.closed_by == "rescue" for attempt in write.closed):
        yield "rescue"
    if any(row.status is DeliveryStatus.SUPERSEDED for row in write.changed_deliveries.values()):
        yield "supersede"
    if any(row.repair_of is not None for _, row in write.new_deliveries.values()):
        yield "repair"
