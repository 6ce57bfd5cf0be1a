"""Two requests of one event in a lane where only the newest counts: the first opens something, once for its action,
and the second tells what it is like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.capture import Capture, Capturing
from hookengine.domain.hook import LanePolicy
from hookengine.errors import ReplayRefused
from hookengine.store.calls import Leased, OwedEvent, OwedReplay, Report
from hookengine.store.contract import Store
from tests.conftest import NOW, make_request
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

OPENS = Capturing(takes=(Capture(name="ticket", path="id"),))
TELLS = Capturing(uses=("ticket",))


def two(kind: str, **changes: object) -> OwedEvent:
    """`dlv_KIND_0` and `dlv_KIND_1`, for an event of this type."""
    lane = {"lane_key": "a ticket", "policy": LanePolicy.LATEST}
    opens = make_request("open", capturing=OPENS)
    return owed(
        kind,
        owed_delivery(f"dlv_{kind}_0", request=opens, provides="ticket", **lane),
        owed_delivery(f"dlv_{kind}_1", part=1, request=make_request(kind, capturing=TELLS), **lane),
        type=f"action.{kind}",
        **changes,
    )


def opened(leased: Leased, value: str = "17") -> Report:
    return replace(delivered(leased, NOW), captured={"ticket": value})


async def test_what_is_newer_supersedes_both_and_brings_both(store: Store, look: Look) -> None:
    await accept(store, two("queued"), now=NOW)
    await accept(store, two("started"), now=NOW)
    look.check()

    (first,) = (await store.claim(NOW, terms())).leased
    second = (await store.finish(opened(first), NOW, terms())).following

    assert first.delivery_id == "dlv_started_0"
    assert second is not None
    assert (second.delivery_id, dict(second.captured)) == ("dlv_started_1", {"ticket": "17"})
    assert {look.delivery(f"dlv_queued_{part}")["status"] for part in (0, 1)} == {"superseded"}
    assert (await store.finish(delivered(second, NOW), NOW, terms())).following is None
    look.check()


async def test_what_comes_late_is_superseded_when_it_comes(store: Store, look: Look) -> None:
    (first,) = (await accept(store, two("completed"), now=NOW, terms=terms())).leased
    second = (await store.finish(opened(first), NOW, terms())).following
    assert second is not None
    await store.finish(delivered(second, NOW), NOW, NO_LEASE)

    late = await accept(store, two("started"), now=NOW, terms=terms())

    assert late.leased == ()
    assert {look.delivery(f"dlv_started_{part}")["status"] for part in (0, 1)} == {"superseded"}
    assert look.lane("a ticket")["shown_id"] == "dlv_completed_1"
    look.check()


async def test_what_was_being_opened_is_known_to_what_is_newer(store: Store, look: Look) -> None:
    (first,) = (await accept(store, two("queued"), now=NOW, terms=terms())).leased
    await accept(store, two("started"), now=NOW)

    following = (await store.finish(opened(first), NOW, terms())).following

    assert following is not None
    assert (following.delivery_id, dict(following.captured)) == ("dlv_started_1", {"ticket": "17"})
    assert look.delivery("dlv_queued_1")["status"] == "superseded"
    assert look.delivery("dlv_started_0")["because"] == "not needed: ticket is known already"
    look.check()


async def test_what_could_not_be_opened_yet_is_tried_again_before_what_follows_it(
    store: Store, look: Look
) -> None:
    (first,) = (await accept(store, two("started"), now=NOW, terms=terms())).leased
    await store.finish(try_again(first, NOW), NOW, NO_LEASE)

    (again,) = (await store.claim(NOW + 5 * SECOND, terms())).leased
    following = (await store.finish(opened(again), NOW + 5 * SECOND, terms())).following

    assert (again.delivery_id, again.attempt) == ("dlv_started_0", 2)
    assert following is not None
    assert following.delivery_id == "dlv_started_1"
    look.check()


async def test_what_cannot_be_opened_any_more_is_opened_by_what_is_newer(store: Store, look: Look) -> None:
    (first,) = (await accept(store, two("queued"), now=NOW, terms=terms())).leased
    await accept(store, two("started"), now=NOW)

    following = (await store.finish(refused(first, NOW), NOW, terms())).following

    assert following is not None
    assert following.delivery_id == "dlv_started_0"
    look.check()


async def test_what_may_have_come_late_is_told_once_more_and_nothing_is_opened_again(
    store: Store, look: Look
) -> None:
    (first,) = (await accept(store, two("queued"), now=NOW, terms=terms())).leased
    second = (await store.finish(opened(first), NOW, terms())).following
    assert second is not None
    await accept(store, two("started"), now=NOW)
    newer = (await store.finish(timed_out(second, NOW), NOW, terms())).following
    assert newer is not None
    assert newer.delivery_id == "dlv_started_1"
    await store.finish(delivered(newer, NOW), NOW, NO_LEASE)

    (repair,) = (await store.claim(NOW + SETTLE, terms())).leased
    await store.finish(delivered(repair, NOW + SETTLE), NOW + SETTLE, NO_LEASE)

    assert look.delivery(repair.delivery_id)["repair_of"] == "dlv_started_1"
    assert dict(repair.captured) == {"ticket": "17"}
    assert (await store.claim(NOW + 10 * SETTLE, terms())).leased == ()
    look.check()


async def test_an_opening_in_doubt_is_tried_again_and_owes_no_repair(store: Store, look: Look) -> None:
    (first,) = (await accept(store, two("started"), now=NOW, terms=terms())).leased
    await store.finish(timed_out(first, NOW), NOW, NO_LEASE)
    (again,) = (await store.claim(NOW + 5 * SECOND, terms())).leased
    following = (await store.finish(opened(again), NOW + 5 * SECOND, terms())).following
    assert following is not None
    await store.finish(delivered(following, NOW + 5 * SECOND), NOW + 5 * SECOND, NO_LEASE)

    assert again.delivery_id == "dlv_started_0"
    assert (await store.claim(NOW + 10 * SETTLE, terms())).leased == ()
    look.check()


async def test_a_person_may_have_it_opened_again_and_told_but_not_what_is_outdated(
    store: Store, look: Look
) -> None:
    (first,) = (await accept(store, two("queued"), now=NOW, terms=terms())).leased
    second = (await store.finish(opened(first), NOW, terms())).following
    assert second is not None
    await store.finish(delivered(second, NOW), NOW, NO_LEASE)
    (newer,) = (await accept(store, two("started"), now=NOW, terms=terms())).leased
    await store.finish(delivered(newer, NOW), NOW, NO_LEASE)

    for outdated in ("dlv_queued_0", "dlv_queued_1"):
        with pytest.raises(ReplayRefused):
            await store.replay(OwedReplay(id="dlv_no", replay_of=outdated), NOW, NO_LEASE)
    (again,) = (
        await store.replay(OwedReplay(id="dlv_again", replay_of="dlv_started_0"), NOW, terms())
    ).leased
    await store.finish(opened(again, "18"), NOW, NO_LEASE)
    (told,) = (await store.replay(OwedReplay(id="dlv_told", replay_of="dlv_started_1"), NOW, terms())).leased

    assert (told.delivery_id, dict(told.captured)) == ("dlv_told", {"ticket": "18"})
    look.check()
