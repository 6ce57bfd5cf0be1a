from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.event import Lifecycle
from hookengine.domain.gate import FIRST_BREAK, TRIP_AFTER, host_key
from hookengine.domain.lane import Wait
from hookengine.store.calls import Leased
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Database,
    Look,
    Seats,
    accept,
    delivered,
    owed,
    terms,
    try_again,
)

pytestmark = pytest.mark.anyio

DAY = 86_400 * SECOND


async def _owe(store: Store, name: str, now: int = NOW, **changes: Any) -> None:
    """A delivery in a lane of its own, of an action of its own."""
    await accept(store, owed(name, lane_key=name, action_id=name, **changes), now=now)


async def _leased(store: Store, name: str, now: int = NOW, **changes: Any) -> Leased:
    event = owed(name, lane_key=name, action_id=name, **changes)
    (leased,) = (await accept(store, event, now=now, terms=terms())).leased
    return leased


async def test_an_empty_store_has_nothing_to_count(store: Store) -> None:
    figures = await store.figures(NOW)

    assert (figures.waiting, figures.oldest_due, figures.leases, figures.circuits) == (0, None, 0, {})


async def test_what_waits_is_counted_and_what_is_sent_or_ended_is_not(store: Store) -> None:
    await _owe(store, "queued")
    await store.finish(try_again(await _leased(store, "retrying"), NOW + 1), NOW + 1, NO_LEASE)
    await store.finish(delivered(await _leased(store, "done"), NOW + 1), NOW + 1, NO_LEASE)
    await _leased(store, "sending")

    figures = await store.figures(NOW + 2)

    assert (figures.waiting, figures.leases) == (2, 1)


async def test_more_than_a_hundred_thousand_are_not_counted_one_by_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.store.cold.upkeep.MOST_COUNTED", 3)
    for name in "abc":
        await _owe(store, name)
        await store.finish(try_again(await _leased(store, name * 2), NOW), NOW, NO_LEASE)

    assert (await store.figures(NOW)).waiting == 3


async def test_the_oldest_due_is_neither_sent_nor_still_to_come(store: Store) -> None:
    await _leased(store, "sending", now=NOW - 2 * SECOND)
    await _owe(store, "older", now=NOW - SECOND)
    await _owe(store, "newer")
    await store.finish(try_again(await _leased(store, "later"), NOW + 1), NOW + 1, NO_LEASE)

    assert (await store.figures(NOW + SECOND)).oldest_due == NOW - SECOND
    assert (await store.figures(NOW - 2 * SECOND)).oldest_due is None


async def test_what_a_node_did_not_end_within_its_lease_is_due_since_then(store: Store) -> None:
    await _leased(store, "lost")

    still, no_more = await store.figures(NOW + LEASE - 1), await store.figures(NOW + LEASE)

    assert (still.oldest_due, no_more.oldest_due) == (None, NOW + LEASE)


async def test_what_was_set_aside_is_due_all_the_same(store: Store, look: Look) -> None:
    await _owe(store, "aside", now=NOW - SECOND, host="busy")
    await _owe(store, "claimable", host="idle")
    full = Seats(1, lambda seat: Wait(behind=host_key(seat.host)) if seat.host == "busy" else None)
    await store.claim(NOW, terms(room=full))

    figures = await store.figures(NOW)

    assert look.lane("aside")["waits_for"] == "host:busy"
    assert (figures.waiting, figures.oldest_due, figures.leases) == (1, NOW - SECOND, 1)


async def test_circuits_that_are_not_closed_are_told_by_their_hosts(store: Store) -> None:
    for number in range(TRIP_AFTER):
        leased = await _leased(store, f"{number}", host="down")
        await store.finish(try_again(leased, NOW, after=DAY), NOW, NO_LEASE)
    await store.finish(try_again(await _leased(store, "once", host="shaky"), NOW), NOW, NO_LEASE)

    opened, later = await store.figures(NOW + 1), await store.figures(NOW + 2 * FIRST_BREAK)

    assert (opened.circuits, later.circuits) == ({"down": "open"}, {"down": "half-open"})


async def test_actions_that_nobody_ended_are_overdue_those_longest_open_first(store: Store) -> None:
    await _owe(store, "second", now=NOW + 2)
    await _owe(store, "first", now=NOW + 1)
    await _owe(store, "ended", now=NOW)
    await accept(store, owed("over", lane_key="ended", action_id="ended", type=Lifecycle.FAILED), now=NOW + 3)
    await _owe(store, "fresh", now=NOW + 10)

    overdue = await store.overdue(NOW + 10, 100)

    assert [action.action_id for action in overdue] == ["first", "second"]


async def test_what_is_overdue_is_told_in_parts_also_where_all_began_at_once(store: Store) -> None:
    for name in "abcd":
        await _owe(store, name, now=NOW)

    first = await store.overdue(NOW + DAY, 3)
    rest = await store.overdue(NOW + DAY, 3, first[-1].place)
    none = await store.overdue(NOW + DAY, 3, rest[-1].place)

    assert [[action.action_id for action in part] for part in (first, rest, none)] == [
        ["a", "b", "c"],
        ["d"],
        [],
    ]


async def test_no_more_actions_are_told_than_asked_for(store: Store) -> None:
    for later, name in enumerate("abc"):
        await _owe(store, name, now=NOW + later)

    (action,) = await store.overdue(NOW + DAY, 1)

    assert (action.pipeline_id, action.action_id, action.open_since) == (1, "a", NOW)
    assert (action.first_seq, action.context) == (1, "{}")


async def test_a_lane_behind_a_gate_is_due_when_that_opens(store: Store, database: Database) -> None:
    await _owe(store, "a")
    database.rows("UPDATE lane SET waits_for = :key", key="host:shut")
    for key, open_at in (("host:shut", NOW + 2), ("host:other", NOW + 1)):
        database.rows(
            "INSERT INTO gate (key, open_at, failures, trips, passed, updated_at)"
            " VALUES (:key, :open_at, 0, 0, '', 0)",
            key=key,
            open_at=open_at,
        )

    assert await store.next_due(NOW) == NOW + 2
    assert await store.next_due(NOW + 2) is None
