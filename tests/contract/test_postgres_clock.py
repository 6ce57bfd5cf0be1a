"""A node whose clock is far from that of its PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hookengine.domain.event import Lifecycle
from hookengine.errors import ActionMovedOn
from hookengine.store.calls import OwedEvent
from hookengine.store.care import Overdue
from hookengine.store.contract import Store
from hookengine.store.postgres import PostgresStore
from tests.conftest import NOW
from tests.contract.conftest import SECOND, accept, owed
from tests.postgres import SharedDatabase

pytestmark = pytest.mark.anyio

HOUR = 3600 * SECOND


@pytest.fixture
async def nodes(postgres_database: SharedDatabase) -> AsyncIterator[tuple[Store, Store]]:
    """They go by the database's clock; their own stand at NOW and an hour later."""
    stores = [await PostgresStore.open(postgres_database.url) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


def timed_out(action: Overdue, **changes: object) -> OwedEvent:
    event = owed(f"over_{action.open_since}", type=Lifecycle.TIMED_OUT)
    return replace(event, event=replace(event.event, if_open_since=action.open_since, **changes))


async def test_an_action_that_is_overdue_is_told_once_whatever_the_nodes_clocks_show(
    nodes: tuple[Store, Store],
) -> None:
    early, late = nodes
    await accept(early, owed("started"), now=NOW)
    await accept(late, owed("of_another", action_id=8), now=NOW + HOUR)

    (one, *_), (other, *_) = await early.overdue(NOW + 1, 9), await late.overdue(NOW + HOUR + 1, 9)
    first = await accept(early, timed_out(one), now=NOW + SECOND)
    again = await accept(late, timed_out(other), now=NOW + HOUR + SECOND)

    assert one == other
    assert [told.fresh for told in (*first.accepted, *again.accepted)] == [True, False]


async def test_an_action_that_moved_on_meanwhile_is_not_overdue_any_more(nodes: tuple[Store, Store]) -> None:
    early, late = nodes
    await accept(early, owed("started"), now=NOW)
    (action,) = await early.overdue(NOW + 1, 9)
    await accept(late, owed("started_again"), now=NOW + HOUR + SECOND)

    with pytest.raises(ActionMovedOn):
        await accept(early, timed_out(action), now=NOW + SECOND)
