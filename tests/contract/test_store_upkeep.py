from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.store.calls import Leased
from hookengine.store.care import FROM_THE_START, Horizon, LeftOff
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    SETTLE,
    Database,
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


async def _prune(store: Store, delivered: int, failed: int, limit: int = 100) -> list[int]:
    """How many rows went at a time, as long as there were any."""
    horizon = Horizon(delivered=delivered, failed=failed, now=max(delivered, failed))
    place: LeftOff | None = FROM_THE_START
    rows = []
    while place is not None:
        pruned = await store.prune(horizon, limit, place)
        rows.append(pruned.rows)
        place = pruned.left_off
    return [count for count in rows if count]


async def test_what_ended_long_ago_is_pruned_with_all_that_belongs_to_it(store: Store, look: Look) -> None:
    await _deliver(store)

    pruned = await _prune(store, NOW + DAY, NOW + DAY)

    assert pruned == [1]
    assert [look.count(table) for table in TABLES] == [0] * len(TABLES)


async def test_what_ended_lately_is_kept(store: Store, look: Look) -> None:
    await _deliver(store)

    pruned = await _prune(store, NOW, NOW)

    assert pruned == []
    assert [look.count(table) for table in TABLES] == [1] * len(TABLES)


async def test_what_has_not_ended_is_kept_however_old(store: Store, look: Look) -> None:
    await accept(store, owed("queued", lane_key="1"), now=NOW)
    await _leased(store, "sending", lane_key="2")
    retrying = await _leased(store, "retrying", lane_key="3")
    await store.finish(try_again(retrying, NOW + 1), NOW + 1, NO_LEASE)

    pruned = await _prune(store, NOW + DAY, NOW + DAY)

    assert pruned == []
    assert look.statuses() == {"dlv_queued": "queued", "dlv_retrying": "retrying", "dlv_sending": "sending"}


async def test_a_lane_is_kept_with_all_its_deliveries_while_one_of_them_is(store: Store, look: Look) -> None:
    await _deliver(store, "a", state="a")
    await _deliver(store, "b", now=NOW + DAY, state="b")

    pruned = await _prune(store, NOW + DAY, NOW + DAY)

    assert pruned == []
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "delivered"}


async def test_no_older_event_gets_out_after_a_prune_that_kept_the_newest(store: Store, look: Look) -> None:
    await _deliver(store, "done", type="action.completed")
    await _prune(store, NOW, NOW)

    await accept(store, owed("late"), now=NOW + SECOND)

    assert look.statuses()["dlv_late"] == "superseded"


async def test_failures_are_kept_longer(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await store.finish(refused(leased, NOW + 1), NOW + 1, NO_LEASE)
    unrenderable = owed_delivery("dlv_b", request=None, unrenderable="no")
    await accept(store, owed("b", unrenderable), now=NOW)

    early = await _prune(store, NOW + DAY, NOW - DAY)
    kept = look.statuses()
    late = await _prune(store, NOW + DAY, NOW + DAY)

    assert (early, late) == ([], [1, 1])
    assert kept == {"dlv_a": "failed", "dlv_b": "failed"}
    assert [look.count(table) for table in TABLES] == [0] * len(TABLES)


async def test_a_lane_is_kept_until_its_doubts_have_settled(store: Store) -> None:
    leased = await _leased(store)
    await store.finish(timed_out(leased, NOW + 1, out_of_time=True), NOW + 1, NO_LEASE)

    early = await _prune(store, NOW + SETTLE, NOW + SETTLE)
    late = await _prune(store, NOW + 1 + SETTLE, NOW + 1 + SETTLE)

    assert (early, late) == ([], [1])


async def test_no_more_lanes_are_pruned_than_asked_for(store: Store, look: Look) -> None:
    for name in "abc":
        await _deliver(store, name, lane_key=name, action_id=name)

    pruned = await _prune(store, NOW + DAY, NOW + DAY, 2)

    assert pruned == [2, 1]
    assert look.count("lane") == 0


async def test_an_event_that_owes_nothing_is_pruned_with_its_action(store: Store, look: Look) -> None:
    await store.accept([replace(owed("a"), deliveries=())], NOW, NO_LEASE)

    await _prune(store, NOW + 1, NOW + 1)

    assert (look.count("event"), look.count("action")) == (0, 0)


async def test_a_pruned_lanes_number_is_not_used_again(store: Store, look: Look) -> None:
    await _deliver(store, "a")
    before = look.lane()["id"]
    await _prune(store, NOW + DAY, NOW + DAY)

    await accept(store, owed("b"), now=NOW + DAY)

    assert look.lane()["id"] > before


async def test_a_lane_of_many_deliveries_is_pruned_bit_by_bit(store: Store, look: Look) -> None:
    for later, name in enumerate("abcde"):
        await _deliver(store, name, now=NOW + later * SECOND, policy=LanePolicy.ORDERED, action_id=name)

    pruned = await _prune(store, NOW + DAY, NOW + DAY, 2)

    assert pruned == [2, 2, 1]
    assert [look.count(table) for table in TABLES] == [0] * len(TABLES)


async def test_a_lane_that_lost_what_it_shows_to_a_prune_goes_on(store: Store, look: Look) -> None:
    await _deliver(store)
    for later, name in enumerate("bc", start=2):
        leased = await _leased(store, name, now=NOW + later)
        await store.finish(refused(leased, NOW + later), NOW + later, NO_LEASE)
    shown = look.lane()["shown_id"]
    await store.prune(Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + DAY), 2)
    again = await _leased(store, "d", now=NOW + DAY)

    finished = await store.finish(timed_out(again, NOW + DAY + 1, out_of_time=True), NOW + DAY + 1, NO_LEASE)

    assert (shown, look.statuses()) == ("dlv_a", {"dlv_c": "failed", "dlv_d": "failed"})
    assert (finished.status, finished.repair_id) == ("failed", None)


async def test_events_that_owe_nothing_are_pruned_no_more_at_a_time_than_asked_for(
    store: Store, look: Look
) -> None:
    await store.accept(
        [replace(owed(name, action_id=name), deliveries=()) for name in "abcde"], NOW, NO_LEASE
    )

    pruned = await _prune(store, NOW + 1, NOW + 1, 3)

    assert pruned == [3, 2]
    assert (look.count("event"), look.count("action")) == (0, 0)


async def test_what_rests_since_long_is_found_though_a_late_one_came_lately(store: Store, look: Look) -> None:
    await _deliver(store, "done", type="action.completed")
    await accept(store, owed("late"), now=NOW + DAY)

    pruned = [await _prune(store, before, before) for before in (NOW + DAY - 1, NOW + DAY)]

    assert (pruned[0], look.lane_exists()) == ([], False)


async def test_what_is_kept_for_its_failure_is_passed_over_from_then_on(store: Store, look: Look) -> None:
    failed = await _leased(store, "failed", lane_key="failed")
    await store.finish(refused(failed, NOW + 1), NOW + 1, NO_LEASE)
    for later, name in enumerate("abc", start=1):
        await _deliver(store, name, now=NOW + later * SECOND, lane_key=name, action_id=name)
    horizon = Horizon(delivered=NOW + DAY, failed=NOW - DAY, now=NOW + DAY)

    first = await store.prune(horizon, 2)

    assert (first.rows, first.left_off) == (2, (0, NOW + SECOND + 1))
    assert await _prune(store, NOW + DAY, NOW - DAY, 2) == [1]
    assert look.statuses() == {"dlv_failed": "failed"}


async def test_a_lane_in_use_again_is_kept_with_its_old_deliveries(store: Store, look: Look) -> None:
    await _deliver(store)
    await accept(store, owed("b", policy=LanePolicy.LATEST), now=NOW + DAY)

    assert await _prune(store, NOW + DAY, NOW + DAY) == []
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "queued"}


def _gate(database: Database, key: str, *, open_at: int, updated_at: int) -> None:
    database.rows(
        "INSERT INTO gate (key, open_at, failures, trips, passed, updated_at)"
        " VALUES (:key, :open_at, 3, 0, '', :updated_at)",
        key=key,
        open_at=open_at,
        updated_at=updated_at,
    )


async def test_a_gate_is_pruned_after_a_day_in_which_it_held_nothing_back(
    store: Store, database: Database
) -> None:
    _gate(database, "host:quiet", open_at=NOW, updated_at=NOW - DAY - 1)
    _gate(database, "host:of today", open_at=NOW, updated_at=NOW - DAY)
    _gate(database, "host:shut", open_at=NOW + 1, updated_at=NOW - 2 * DAY)
    _gate(database, "host:waited for", open_at=NOW, updated_at=NOW - 2 * DAY)
    await accept(store, owed("a"), now=NOW)
    database.rows("UPDATE lane SET waits_for = :key", key="host:waited for")

    pruned = await _prune(store, NOW - DAY, NOW)

    kept = database.rows("SELECT key FROM gate ORDER BY key")
    assert pruned == [1]
    assert [row["key"] for row in kept] == ["host:of today", "host:shut", "host:waited for"]
