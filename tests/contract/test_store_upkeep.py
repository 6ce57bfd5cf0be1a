from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.store.contract import Leased, Store
from tests.conftest import NOW
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    SETTLE,
    Look,
    accept,
    delivered,
    owed,
    owed_delivery,
    refused,
    terms,
    timed_out,
    try_again,
)

pytestmark = pytest.mark.anyio

DAY = 86_400 * SECOND
TABLES = ("event", "action", "lane", "delivery", "request", "attempt")


async def _leased(store: Store, name: str = "a", now: int = NOW, **changes: object) -> Leased:
    (leased,) = (await accept(store, owed(name, **changes), now=now, terms=terms())).leased
    return leased


async def _deliver(store: Store, name: str = "a", now: int = NOW, **changes: object) -> None:
    leased = await _leased(store, name, now, **changes)
    await store.finish(delivered(leased, now + 1), now + 1, NO_LEASE)


async def test_what_ended_long_ago_is_pruned_with_all_that_belongs_to_it(store: Store, look: Look) -> None:
    await _deliver(store)

    pruned = await store.prune(NOW + DAY, NOW + DAY, 100)

    assert pruned == 1
    assert [look.count(table) for table in TABLES] == [0] * len(TABLES)


async def test_what_ended_lately_is_kept(store: Store, look: Look) -> None:
    await _deliver(store)

    pruned = await store.prune(NOW, NOW, 100)

    assert pruned == 0
    assert [look.count(table) for table in TABLES] == [1] * len(TABLES)


async def test_what_has_not_ended_is_kept_however_old(store: Store, look: Look) -> None:
    await accept(store, owed("queued", lane_key="1"), now=NOW)
    await _leased(store, "sending", lane_key="2")
    retrying = await _leased(store, "retrying", lane_key="3")
    await store.finish(try_again(retrying, NOW + 1), NOW + 1, NO_LEASE)

    pruned = await store.prune(NOW + DAY, NOW + DAY, 100)

    assert pruned == 0
    assert look.statuses() == {"dlv_queued": "queued", "dlv_retrying": "retrying", "dlv_sending": "sending"}


async def test_a_lane_is_kept_with_all_its_deliveries_while_one_of_them_is(store: Store, look: Look) -> None:
    await _deliver(store, "a", state="a")
    await _deliver(store, "b", now=NOW + DAY, state="b")

    pruned = await store.prune(NOW + DAY, NOW + DAY, 100)

    assert pruned == 0
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "delivered"}


async def test_no_older_event_gets_out_after_a_prune_that_kept_the_newest(store: Store, look: Look) -> None:
    await _deliver(store, "done", type="action.completed")
    await store.prune(NOW, NOW, 100)

    await accept(store, owed("late"), now=NOW + SECOND)

    assert look.statuses()["dlv_late"] == "superseded"


async def test_failures_are_kept_longer(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await store.finish(refused(leased, NOW + 1), NOW + 1, NO_LEASE)
    unrenderable = owed_delivery("dlv_b", request=None, unrenderable="no")
    await accept(store, owed("b", unrenderable), now=NOW)

    early = await store.prune(NOW + DAY, NOW - DAY, 100)
    kept = look.statuses()
    late = await store.prune(NOW + DAY, NOW + DAY, 100)

    assert (early, late) == (0, 1)
    assert kept == {"dlv_a": "failed", "dlv_b": "failed"}
    assert [look.count(table) for table in TABLES] == [0] * len(TABLES)


async def test_a_lane_is_kept_until_its_doubts_have_settled(store: Store) -> None:
    leased = await _leased(store)
    await store.finish(timed_out(leased, NOW + 1, out_of_time=True), NOW + 1, NO_LEASE)

    early = await store.prune(NOW + SETTLE, NOW + SETTLE, 100)
    late = await store.prune(NOW + 1 + SETTLE, NOW + 1 + SETTLE, 100)

    assert (early, late) == (0, 1)


async def test_no_more_lanes_are_pruned_than_asked_for(store: Store, look: Look) -> None:
    for name in "abc":
        await _deliver(store, name, lane_key=name, action_id=name)

    pruned = [await store.prune(NOW + DAY, NOW + DAY, 2) for _ in range(3)]

    assert pruned == [2, 1, 0]
    assert look.count("lane") == 0


async def test_an_event_that_owes_nothing_is_pruned_with_its_action(store: Store, look: Look) -> None:
    await store.accept([replace(owed("a"), deliveries=())], NOW, NO_LEASE)

    await store.prune(NOW + 1, NOW + 1, 100)

    assert (look.count("event"), look.count("action")) == (0, 0)


async def test_a_pruned_lanes_number_is_not_used_again(store: Store, look: Look) -> None:
    await _deliver(store, "a")
    before = look.lane()["id"]
    await store.prune(NOW + DAY, NOW + DAY, 100)

    await accept(store, owed("b"), now=NOW + DAY)

    assert look.lane()["id"] > before


async def test_there_is_nothing_to_sweep_in_a_lane_that_moves(store: Store) -> None:
    await accept(store, owed("a", policy=LanePolicy.ORDERED), owed("b"), now=NOW)
    await store.cancel("dlv_a", "no", NOW + 1, NO_LEASE)

    assert await store.sweep(NOW + 2) == 0
