"""A hook that does nothing but fail is paused after a while; what it owes waits until it is switched on."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.hook import HookState, LanePolicy
from hookengine.store.calls import Finished, Leased, Notice, NoticeKind
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    Look,
    accept,
    delivered,
    owed,
    refused,
    terms,
    try_again,
)
from tests.definitions import define

pytestmark = pytest.mark.anyio

HOUR = 3600 * SECOND
PATIENCE = 24 * HOUR
BECAUSE = "nothing but failures for too long, the last one: later"


@pytest.fixture(autouse=True)
async def defined(store: Store) -> None:
    hooks = (make_hook(id="hook_1"), make_hook(id="hook_2"))
    await define(store, Definitions(hooks=hooks), "file", NOW)


async def _leased(store: Store, name: str, now: int, **changes: Any) -> Leased:
    event = owed(name, **{"action_id": name, "lane_key": name, "host": f"{name}.example", **changes})
    (leased,) = (await accept(store, event, now=now, terms=terms())).leased
    return leased


async def _fail(store: Store, name: str, now: int, **changes: Any) -> Finished:
    leased = await _leased(store, name, now, **changes)
    return await store.finish(try_again(leased, now), now, terms(0, patience=PATIENCE))


async def _paused(store: Store) -> int:
    """hook_1, with `a` and `b` waiting to be tried again; and since when."""
    await _fail(store, "a", NOW)
    await _fail(store, "b", NOW + PATIENCE)
    return NOW + PATIENCE


async def test_a_hook_that_did_nothing_but_fail_for_long_is_paused_for_that_reason(
    store: Store, look: Look
) -> None:
    first = await _fail(store, "a", NOW)
    second = await _fail(store, "b", NOW + PATIENCE - 1)
    third = await _fail(store, "c", NOW + PATIENCE)

    notice = Notice(kind=NoticeKind.HOOK_PAUSED, subject="hook_1", because=BECAUSE)
    assert [one.notices for one in (first, second, third)] == [(), (), (notice,)]
    row = look.hook("hook_1")
    assert (row["state"], row["because"]) == ("paused", BECAUSE)


async def test_nodes_are_told_that_it_is_paused(store: Store) -> None:
    await _fail(store, "a", NOW)
    version, _ = await store.definitions()

    await _fail(store, "b", NOW + PATIENCE)

    later, definitions = await store.definitions(version)
    assert later > version
    assert definitions is not None
    assert [hook.state for hook in definitions.hooks] == [HookState.PAUSED, HookState.ACTIVE]


async def test_it_is_paused_once_though_more_of_it_fails(store: Store) -> None:
    under_way = await _leased(store, "slow", NOW + PATIENCE - 1)
    now = await _paused(store)

    finished = await store.finish(try_again(under_way, now), now, terms(0, patience=PATIENCE))

    assert finished.notices == ()


async def test_a_success_in_between_begins_its_patience_anew(store: Store) -> None:
    await _fail(store, "a", NOW)
    leased = await _leased(store, "b", NOW + HOUR)
    await store.finish(delivered(leased, NOW + HOUR), NOW + HOUR, NO_LEASE)
    await _fail(store, "c", NOW + 2 * HOUR)

    late = await _fail(store, "d", NOW + PATIENCE + HOUR)
    too_late = await _fail(store, "e", NOW + PATIENCE + 2 * HOUR)

    assert late.notices == ()
    assert [notice.kind for notice in too_late.notices] == [NoticeKind.HOOK_PAUSED]


async def test_a_refusal_is_a_failure_too(store: Store) -> None:
    for now in (NOW, NOW + PATIENCE):
        leased = await _leased(store, f"at_{now}", now)
        finished = await store.finish(refused(leased, now), now, terms(0, patience=PATIENCE))

    assert [notice.kind for notice in finished.notices] == [NoticeKind.HOOK_PAUSED]
    assert finished.status == "failed"


async def test_other_hooks_are_not_paused_with_it(store: Store) -> None:
    await _fail(store, "other", NOW + HOUR, hook_id="hook_2")
    await _paused(store)

    finished = await _fail(store, "another", NOW + PATIENCE, hook_id="hook_2")

    assert finished.notices == ()


async def test_what_a_paused_hook_owes_waits_and_what_others_owe_goes_on(store: Store, look: Look) -> None:
    now = await _paused(store) + HOUR
    intake = await accept(
        store,
        owed("c", action_id="c", lane_key="c"),
        owed("other", action_id="other", lane_key="other", hook_id="hook_2"),
        now=now,
        terms=terms(),
    )

    claimed = await store.claim(now, terms())
    again = await store.claim(now + HOUR, terms())

    assert [leased.delivery_id for leased in intake.leased] == ["dlv_other"]
    assert claimed.leased == ()
    assert [leased.delivery_id for leased in again.leased] == ["dlv_other"], "whose lease had ended"
    assert {look.lane(name)["waits_for"] for name in "abc"} == {"hook:hook_1"}
    assert await store.next_due(now + HOUR) == look.lane("other")["due_at"]


async def test_switched_on_again_all_of_it_goes(store: Store, look: Look) -> None:
    now = await _paused(store) + HOUR
    await accept(store, owed("c", action_id="c", lane_key="c"), now=now)
    await store.claim(now, terms())

    await store.switch("hook_1", HookState.ACTIVE, "", now + 1)
    claimed = await store.claim(now + 1, terms())

    assert {leased.delivery_id for leased in claimed.leased} == {"dlv_a", "dlv_b", "dlv_c"}
    look.check()


async def test_switched_on_again_it_has_all_its_patience(store: Store) -> None:
    now = await _paused(store) + HOUR
    await store.switch("hook_1", HookState.ACTIVE, "", now)

    first = await _fail(store, "c", now)
    then = await _fail(store, "d", now + PATIENCE - 1)
    at_last = await _fail(store, "e", now + PATIENCE)

    assert (first.notices, then.notices) == ((), ())
    assert [notice.kind for notice in at_last.notices] == [NoticeKind.HOOK_PAUSED]


async def test_a_target_that_is_gone_switches_its_hook_off_instead(store: Store, look: Look) -> None:
    await _fail(store, "a", NOW)
    leased = await _leased(store, "b", NOW + PATIENCE)
    await accept(store, owed("c", action_id="c", lane_key="c"), now=NOW + PATIENCE)

    finished = await store.finish(
        refused(leased, NOW + PATIENCE, gone=True), NOW + PATIENCE, terms(0, patience=PATIENCE)
    )
    claimed = await store.claim(NOW + PATIENCE + HOUR, terms())

    assert [notice.kind for notice in finished.notices] == [NoticeKind.HOOK_GONE]
    assert claimed.leased == ()
    assert look.statuses() == {"dlv_a": "cancelled", "dlv_b": "failed", "dlv_c": "cancelled"}


async def test_a_paused_hook_whose_target_is_gone_is_switched_off(store: Store, look: Look) -> None:
    under_way = await _leased(store, "slow", NOW + PATIENCE)
    now = await _paused(store)

    finished = await store.finish(refused(under_way, now, gone=True), now, NO_LEASE)

    assert [notice.kind for notice in finished.notices] == [NoticeKind.HOOK_GONE]
    assert look.hook("hook_1")["state"] == "disabled"


async def test_others_in_its_lane_go_first_while_it_is_paused(store: Store, look: Look) -> None:
    now = await _paused(store) + HOUR
    lane = {"lane_key": "one", "policy": LanePolicy.ORDERED}
    events = [
        owed(f"n_{number}", action_id=number, hook_id="hook_2" if number in {6, 8} else "hook_1", **lane)
        for number in range(10)
    ]
    await accept(store, *events, now=now)

    sent = []
    (leased,) = (await store.claim(now, terms())).leased
    following: Leased | None = leased
    while following is not None:
        sent.append(following.delivery_id)
        following = (await store.finish(delivered(following, now), now, terms())).following

    assert sent == ["dlv_n_6", "dlv_n_8"]
    assert look.lane("one")["waits_for"] == "hook:hook_1"
    look.check()


async def test_what_a_hook_owes_that_was_switched_off_goes_before_nobody(store: Store, look: Look) -> None:
    now = await _paused(store) + HOUR
    lane = {"lane_key": "one", "policy": LanePolicy.ORDERED}
    for number in range(6):
        hook_id = "hook_2" if number == 5 else "hook_1"
        await accept(store, owed(f"n_{number}", action_id=number, hook_id=hook_id, **lane), now=now)
    await store.switch("hook_2", HookState.DISABLED, "", now + 1)

    claimed = await store.claim(now + 2, terms())

    assert claimed.leased == ()
    assert look.attempts("dlv_n_5") == []


async def test_behind_what_a_hook_owes_that_was_switched_off_another_goes(store: Store) -> None:
    now = await _paused(store) + HOUR
    lane = {"lane_key": "one", "policy": LanePolicy.ORDERED}
    hooks = ["hook_1"] * 5 + ["hook_2", "hook_3"]
    for number, hook_id in enumerate(hooks):
        await accept(store, owed(f"n_{number}", action_id=number, hook_id=hook_id, **lane), now=now)
    await store.switch("hook_2", HookState.DISABLED, "", now + 1)

    claimed = await store.claim(now + 2, terms())

    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_n_6"]


async def test_one_beside_a_paused_one_is_held_by_the_circuit_of_its_host(store: Store, look: Look) -> None:
    now = await _paused(store)
    for number in range(10):
        await _fail(store, f"down_{number}", now, host="down.example", hook_id="hook_2")
    lane = {"lane_key": "one", "policy": LanePolicy.ORDERED}
    for number in range(6):
        beside = {"hook_id": "hook_2", "host": "down.example"} if number == 5 else {}
        await accept(store, owed(f"n_{number}", action_id=number, **lane, **beside), now=now)
    gate = look.gate("host:down.example")

    claimed = await store.claim(now + 1, terms())

    assert claimed.leased == ()
    assert look.lane("one")["waits_for"] == "host:down.example"
    assert look.gate("host:down.example") == gate
