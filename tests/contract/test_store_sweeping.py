from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.hook import HookState, LanePolicy
from hookengine.store.calls import Leased
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_request
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    SETTLE,
    Database,
    Look,
    accept,
    delivered,
    owed,
    terms,
)
from tests.definitions import define

pytestmark = pytest.mark.anyio


async def _leased(store: Store, name: str = "a", now: int = NOW, **changes: Any) -> Leased:
    (leased,) = (await accept(store, owed(name, **changes), now=now, terms=terms())).leased
    return leased


def _lose_the_lease(database: Database) -> None:
    database.rows("UPDATE lane SET token = NULL, head_id = NULL")


async def test_there_is_nothing_to_sweep_in_a_lane_that_moves(store: Store) -> None:
    await accept(store, owed("a", policy=LanePolicy.ORDERED), owed("b"), now=NOW)
    await store.cancel("dlv_a", "no", NOW + 1, NO_LEASE)
    await _leased(store, "c", lane_key="another", action_id="c")

    assert await store.sweep(NOW + 2, SETTLE) == 0


async def test_what_nobody_sends_any_more_is_tried_again(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store)
    _lose_the_lease(database)

    mended = await store.sweep(NOW + SECOND, SETTLE)

    (leased,) = (await store.claim(NOW + SECOND, terms())).leased
    assert mended == 2  # the delivery, and its lane
    assert (leased.delivery_id, leased.attempt) == ("dlv_a", 2)
    assert look.attempts("dlv_a")[0]["outcome"] == "Unknown"
    look.check()


async def test_what_nobody_sends_any_more_is_superseded_by_a_newer_state(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store, "a")
    await accept(store, owed("b"), now=NOW + 1)
    _lose_the_lease(database)

    await store.sweep(NOW + SECOND, SETTLE)

    (leased,) = (await store.claim(NOW + SECOND, terms())).leased
    assert leased.delivery_id == "dlv_b"
    assert look.statuses() == {"dlv_a": "superseded", "dlv_b": "sending"}
    assert look.delivery("dlv_a")["ended_at"] == NOW + SECOND
    assert await store.sweep(NOW + SECOND, SETTLE) == 0
    look.check()


async def test_in_an_ordered_lane_what_nobody_sends_any_more_goes_first_again(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store, "a", policy=LanePolicy.ORDERED)
    await accept(store, owed("b"), now=NOW + 1)
    _lose_the_lease(database)

    await store.sweep(NOW + SECOND, SETTLE)

    assert look.lane()["head_id"] == "dlv_a"
    assert look.statuses() == {"dlv_a": "retrying", "dlv_b": "queued"}


async def test_what_nobody_sends_any_more_is_cancelled_if_that_was_asked(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store)
    await store.cancel("dlv_a", "no", NOW + 1, NO_LEASE)
    _lose_the_lease(database)

    assert await store.sweep(NOW + SECOND, SETTLE) == 1
    assert look.statuses() == {"dlv_a": "cancelled"}
    look.check()


@pytest.mark.parametrize(("policy", "head"), [(LanePolicy.ORDERED, "dlv_a"), (LanePolicy.LATEST, "dlv_b")])
async def test_a_lane_that_waits_without_a_head_gets_one(
    store: Store, database: Database, look: Look, policy: LanePolicy, head: str
) -> None:
    await accept(store, owed("a", policy=policy), now=NOW)
    await accept(store, owed("b", policy=policy), now=NOW)
    database.rows("UPDATE delivery SET status = 'queued', ended_at = NULL")
    database.rows("UPDATE lane SET head_id = NULL, not_before = :at", at=NOW + 5 * SECOND)

    assert await store.sweep(NOW + SECOND, SETTLE) == 1
    assert (look.lane()["head_id"], look.lane()["due_at"]) == (head, NOW + 5 * SECOND)


async def test_a_head_that_nobody_sends_gives_way_to_the_newer_state_that_waits(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store, "a")
    await accept(store, owed("b"), now=NOW + 1)
    database.rows("UPDATE lane SET token = NULL")

    assert await store.sweep(NOW + SECOND, SETTLE) == 1
    assert look.lane()["head_id"] == "dlv_b"
    assert look.statuses() == {"dlv_a": "superseded", "dlv_b": "queued"}
    look.check()


async def _older_lost_and_newer_delivered(store: Store, database: Database) -> None:
    """dlv_b is what the target shows; dlv_a, which nobody sends any more, may take effect after it."""
    await _leased(store, "a", state="older")
    await accept(store, owed("b", state="newer"), now=NOW + 1)
    database.rows("UPDATE lane SET token = NULL, head_id = 'dlv_b', due_at = :now", now=NOW)
    (newer,) = (await store.claim(NOW + 2, terms())).leased
    await store.finish(delivered(newer, NOW + 3), NOW + 3, NO_LEASE)


async def test_what_nobody_sends_any_more_may_take_effect_and_is_repaired_once_that_has_settled(
    store: Store, database: Database, look: Look
) -> None:
    await _older_lost_and_newer_delivered(store, database)

    mended = await store.sweep(NOW + SECOND, SETTLE)

    settled = NOW + SECOND + SETTLE
    assert (mended, look.statuses()["dlv_a"]) == (1, "superseded")
    assert (look.delivery("dlv_a")["doubt_until"], look.lane()["doubt_until"]) == (settled, settled)
    (repair,) = look.repairs()
    assert (repair["repair_of"], await store.next_due(NOW)) == ("dlv_b", settled)
    (leased,) = (await store.claim(settled, terms())).leased
    assert (leased.delivery_id, leased.request) == (repair["id"], make_request("newer"))
    look.check()


async def test_what_shows_a_hook_that_is_off_is_not_repaired(
    store: Store, database: Database, look: Look
) -> None:
    await define(store, Definitions(hooks=(make_hook(),)), "file", NOW - 1)
    await _older_lost_and_newer_delivered(store, database)
    await store.switch("hook_1", HookState.DISABLED, "enough", NOW + 4)

    await store.sweep(NOW + SECOND, SETTLE)

    assert look.repairs() == []
    assert look.lane()["doubt_until"] == NOW + SECOND + SETTLE
    look.check()


async def test_in_an_ordered_lane_what_nobody_sends_any_more_opens_no_doubt(
    store: Store, database: Database, look: Look
) -> None:
    await _leased(store, policy=LanePolicy.ORDERED)
    _lose_the_lease(database)

    await store.sweep(NOW + SECOND, SETTLE)

    assert (look.delivery("dlv_a")["doubt_until"], look.lane()["doubt_until"]) == (0, 0)


async def test_a_result_that_comes_after_a_sweep_is_kept_as_late(
    store: Store, database: Database, look: Look
) -> None:
    leased = await _leased(store)
    _lose_the_lease(database)
    await store.sweep(NOW + SECOND, SETTLE)

    finished = await store.finish(delivered(leased, NOW + 2 * SECOND), NOW + 2 * SECOND, NO_LEASE)

    assert finished.late
    assert look.attempts("dlv_a")[0]["late_outcome"] == "Answered"
    assert look.statuses() == {"dlv_a": "retrying"}
