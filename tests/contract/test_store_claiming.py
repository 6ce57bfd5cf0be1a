from __future__ import annotations

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.store.calls import Leased
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Database,
    Look,
    accept,
    delivered,
    owed,
    terms,
)

pytestmark = pytest.mark.anyio

HOUR = 3600 * SECOND


async def _leased(store: Store, name: str = "a", **changes: object) -> Leased:
    (leased,) = (await accept(store, owed(name, **changes), now=NOW, terms=terms())).leased
    return leased


# A wall clock set forward


async def test_a_lease_the_asking_node_holds_is_not_rescued(store: Store, look: Look) -> None:
    leased = await _leased(store)

    claimed = await store.claim(NOW + HOUR, terms(), {leased.token})

    assert (claimed.leased, claimed.rescued) == ((), ())
    assert await store.next_due(NOW) == NOW + HOUR + LEASE
    assert (await store.finish(delivered(leased, NOW + HOUR), NOW + HOUR, NO_LEASE)).status == "delivered"
    look.check()


async def test_a_lease_that_is_still_held_later_ends_then(store: Store) -> None:
    leased = await _leased(store)
    await store.claim(NOW + HOUR, terms(), {leased.token})

    claimed = await store.claim(NOW + HOUR + LEASE, terms())

    assert claimed.rescued == ("dlv_a",)


async def test_leases_that_are_held_take_no_room_from_what_is_due(store: Store) -> None:
    held = {(await _leased(store, name, action_id=name, lane_key=name)).token for name in "abc"}
    await _leased(store, "gone", action_id="gone", lane_key="gone")
    await accept(store, owed("due", action_id="due", lane_key="due"), now=NOW + 1)

    claimed = await store.claim(NOW + HOUR, terms(2), held)

    assert {leased.delivery_id for leased in claimed.leased} == {"dlv_due", "dlv_gone"}
    assert claimed.rescued == ("dlv_gone",)


# A lane that cannot be claimed


async def test_a_lane_with_a_mistake_in_its_rows_holds_up_no_other(
    store: Store, database: Database, look: Look
) -> None:
    await accept(store, owed("bad", lane_key="bad"), owed("good", lane_key="good"), now=NOW)
    database.rows("DELETE FROM delivery WHERE id = 'dlv_bad'")

    claimed = await store.claim(NOW + 1, terms())

    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_good"]
    assert claimed.stuck == (look.lane("bad")["id"],)
    assert look.lane("bad")["due_at"] == NOW + 1 + HOUR


async def test_nothing_is_left_of_a_claim_that_came_half_way(
    store: Store, database: Database, look: Look
) -> None:
    first = await _leased(store, "bad", lane_key="bad")
    await accept(store, owed("newer", lane_key="bad"), owed("good", lane_key="good"), now=NOW)
    database.rows("DELETE FROM request WHERE id = 'dlv_newer'")

    claimed = await store.claim(NOW + LEASE, terms())

    (attempt,) = look.attempts("dlv_bad")
    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_good"]
    assert (claimed.rescued, claimed.endings) == ((), ())
    assert (attempt["token"], attempt["finished_at"]) == (first.token, None)
    assert look.statuses() == {"dlv_bad": "sending", "dlv_good": "sending", "dlv_newer": "queued"}
    look.check()


async def test_a_lane_that_was_stuck_is_tried_again(store: Store, database: Database, look: Look) -> None:
    await accept(store, owed("a", policy=LanePolicy.ORDERED), now=NOW)
    database.rows("UPDATE delivery SET status = 'delivered', ended_at = 1")
    first = await store.claim(NOW + 1, terms())
    database.rows("UPDATE delivery SET status = 'queued', ended_at = NULL")

    again = await store.claim(NOW + 1 + HOUR, terms())

    assert first.stuck == (look.lane()["id"],)
    assert [leased.delivery_id for leased in again.leased] == ["dlv_a"]
