"""Sending a delivery once more: what may, what may not, and what the target shows afterwards."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookengine.domain.event import Lifecycle
from hookengine.domain.hook import LanePolicy
from hookengine.errors import NotFound, ReplayRefused
from hookengine.store.calls import OwedDelivery, OwedReplay
from hookengine.store.contract import Store
from tests.conftest import NOW, make_request
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    Look,
    SqliteDatabase,
    accept,
    delivered,
    owed,
    owed_delivery,
    refused,
    terms,
    timed_out,
)

pytestmark = pytest.mark.anyio


async def end(store: Store, name: str, how: Any = delivered, **changes: Any) -> None:
    """The event and its delivery, sent at once."""
    intake = await accept(store, owed(name, **changes), now=NOW, terms=terms())
    (leased,) = intake.leased
    await store.finish(how(leased, NOW), NOW, NO_LEASE)


def again(replay_of: str, name: str = "again", **changes: Any) -> OwedReplay:
    return OwedReplay(id=f"dlv_{name}", replay_of=replay_of, **changes)


async def test_the_newest_is_sent_again_at_once_as_a_delivery_of_its_own(store: Store, look: Look) -> None:
    await end(store, "a", refused, number=1)

    replayed = await store.replay(again("dlv_a"), NOW + SECOND, terms())

    (leased,) = replayed.leased
    row = look.delivery("dlv_again")
    assert (leased.delivery_id, leased.request, leased.attempt) == ("dlv_again", make_request("dlv_a"), 1)
    assert (row["replay_of"], row["event_id"], row["status"]) == ("dlv_a", "1:evt_a", "sending")
    assert look.delivery("dlv_a")["status"] == "failed"
    await store.finish(delivered(leased, NOW), NOW, NO_LEASE)
    assert look.lane()["shown_id"] == "dlv_again"
    look.check()


async def test_without_room_it_waits_to_be_claimed(store: Store, look: Look) -> None:
    await end(store, "a")

    replayed = await store.replay(again("dlv_a"), NOW, NO_LEASE)
    claimed = await store.claim(NOW, terms())

    assert replayed.leased == ()
    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_again"]
    look.check()


async def test_an_older_state_is_not_put_over_a_newer_one(store: Store, look: Look) -> None:
    await end(store, "started", refused, number=1)
    await end(store, "completed", number=1, type=Lifecycle.COMPLETED)

    with pytest.raises(
        ReplayRefused, match="a newer state of the same thing was accepted after it: dlv_started"
    ):
        await store.replay(again("dlv_started"), NOW, terms())

    assert look.statuses() == {"dlv_completed": "delivered", "dlv_started": "failed"}
    look.check()


async def test_nor_over_a_newer_one_that_could_not_be_delivered(store: Store, look: Look) -> None:
    await end(store, "started", number=1)
    await end(store, "failed", refused, number=1, type=Lifecycle.FAILED)

    with pytest.raises(ReplayRefused):
        await store.replay(again("dlv_started"), NOW, terms())
    await store.replay(again("dlv_failed"), NOW, NO_LEASE)

    assert look.statuses()["dlv_again"] == "queued"


async def test_of_two_equal_ones_only_the_one_accepted_last(store: Store) -> None:
    await end(store, "a", number=1)
    await end(store, "b", number=1)

    with pytest.raises(ReplayRefused):
        await store.replay(again("dlv_a"), NOW, terms())
    assert (await store.replay(again("dlv_b"), NOW, terms())).leased


async def test_what_was_replayed_is_replayed_by_its_replay(store: Store, look: Look) -> None:
    await end(store, "a", refused)
    first = await store.replay(again("dlv_a", "first"), NOW, terms())
    await store.finish(refused(first.leased[0], NOW), NOW, NO_LEASE)

    with pytest.raises(ReplayRefused):
        await store.replay(again("dlv_a", "second"), NOW, terms())
    second = await store.replay(again("dlv_first", "second"), NOW, terms())

    assert second.leased[0].request == make_request("dlv_a")
    assert look.delivery("dlv_second")["replay_of"] == "dlv_first"


async def test_one_that_has_not_ended_cannot_be_replayed(store: Store) -> None:
    await accept(store, owed("a"), now=NOW)

    with pytest.raises(ReplayRefused, match="dlv_a has not ended: it is queued"):
        await store.replay(again("dlv_a"), NOW, terms())


async def test_one_that_nobody_knows_cannot_be_replayed(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.replay(again("dlv_a"), NOW, terms())


async def test_one_that_could_not_be_rendered_has_nothing_to_send_again_but_can_be_rendered_anew(
    store: Store, look: Look
) -> None:
    unrenderable = OwedDelivery(id="dlv_a", hook_id="hook_1", hook_revision=1, unrenderable="no commit")
    await accept(store, owed("a", unrenderable), now=NOW)

    with pytest.raises(ReplayRefused, match="dlv_a has no request that could be sent again: no commit"):
        await store.replay(again("dlv_a"), NOW, terms())
    replayed = await store.replay(again("dlv_a", anew=owed_delivery("dlv_again", state="x")), NOW, terms())

    assert replayed.leased[0].request == make_request("x")
    look.check()


async def test_rendered_anew_it_has_another_request_and_revision_and_the_same_place(
    store: Store, look: Look
) -> None:
    await end(store, "a", refused, number=4)

    replayed = await store.replay(
        again("dlv_a", anew=owed_delivery("dlv_again", state="better", hook_revision=2)), NOW, terms()
    )

    (leased,) = replayed.leased
    row = look.delivery("dlv_again")
    assert (leased.request, leased.hook_revision) == (make_request("better"), 2)
    assert [row[name] for name in ("number", "rank", "lane_id")] == [
        look.delivery("dlv_a")[name] for name in ("number", "rank", "lane_id")
    ]


async def test_rendered_anew_for_another_lane_it_is_judged_there(store: Store, look: Look) -> None:
    await end(store, "a", number=1, lane_key="here")
    await end(store, "b", number=2, lane_key="there")
    elsewhere = owed_delivery("dlv_again", lane_key="there")

    with pytest.raises(ReplayRefused):
        await store.replay(again("dlv_a", anew=elsewhere), NOW, terms())

    assert look.lane("there")["newest_number"] == 2
    look.check()


async def test_the_same_replay_twice_is_one(store: Store, look: Look) -> None:
    await end(store, "a")
    first = await store.replay(again("dlv_a"), NOW, terms())

    second = await store.replay(again("dlv_a"), NOW, terms())

    assert (first.fresh, second.fresh, second.leased) == (True, False, ())
    assert look.count("delivery") == 2


async def test_a_replay_takes_the_place_of_a_repair_that_waits_and_the_doubt_stays(
    store: Store, look: Look
) -> None:
    (started,) = (await accept(store, owed("a", number=1), now=NOW, terms=terms())).leased
    await store.finish(timed_out(started, NOW, out_of_time=True), NOW, NO_LEASE)
    await end(store, "b", number=1, type=Lifecycle.COMPLETED)
    (repair,) = look.repairs()

    replayed = await store.replay(again("dlv_b"), NOW + SECOND, terms())
    await store.finish(delivered(replayed.leased[0], NOW + SECOND), NOW + SECOND, NO_LEASE)

    assert [ending.delivery_id for ending in replayed.endings] == [repair["id"]]
    assert [row["repair_of"] for row in look.repairs()] == ["dlv_b", "dlv_again"]
    look.check()


async def test_in_order_it_goes_before_what_is_newer_and_its_position_tells_its_age(store: Store) -> None:
    await end(store, "a", refused, policy=LanePolicy.ORDERED)
    await accept(store, owed("b", policy=LanePolicy.ORDERED), now=NOW)
    await accept(store, owed("c", policy=LanePolicy.ORDERED), now=NOW)
    await store.replay(again("dlv_a"), NOW, NO_LEASE)

    sent, positions = [], []
    for _ in range(3):
        (leased,) = (await store.claim(NOW, terms())).leased
        sent.append(leased.delivery_id)
        positions.append(leased.position[2])
        await store.finish(delivered(leased, NOW), NOW, NO_LEASE)

    assert sent == ["dlv_b", "dlv_again", "dlv_c"]  # b was the next one already
    assert positions == [2, 1, 3]


async def test_where_each_has_a_lane_of_its_own_a_replay_has_too(store: Store, look: Look) -> None:
    await end(store, "a", refused, policy=LanePolicy.NONE, lane_key="delivery:dlv_a")

    first = await store.replay(again("dlv_a", "first"), NOW, terms())
    second = await store.replay(again("dlv_a", "second"), NOW, terms())

    assert (first.leased[0].lane_key, second.leased[0].lane_key) == (
        "delivery:dlv_first",
        "delivery:dlv_second",
    )
    assert (
        look.delivery("dlv_first")["request_id"] == "dlv_first"
    )  # its own: that of the original may be pruned
    look.check()


KINDS = [Lifecycle.QUEUED, Lifecycle.STARTED, Lifecycle.COMPLETED]
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 3), st.sampled_from(KINDS)),
        st.tuples(st.just("replay"), st.integers(0, 12), st.booleans()),
        st.tuples(st.just("send"), st.sampled_from([delivered, refused]), st.none()),
    ),
    max_size=14,
)


@settings(max_examples=30, deadline=None)
@given(acts=ACTS)
def test_whatever_is_replayed_nothing_older_leaves_after_something_newer(
    acts: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = SqliteDatabase(tmp_path_factory.mktemp("replays"))
    try:
        asyncio.run(_open_and_play(database, acts))
    finally:
        database.close()


@pytest.mark.parametrize("seed", range(4))
async def test_nor_does_it_at_random_on_any_store(store: Store, look: Look, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a play that can be played again
    acts: list[Any] = [
        chance.choice(
            [
                ("accept", chance.randint(1, 3), chance.choice(KINDS)),
                ("replay", chance.randint(0, 12), chance.random() < 0.5),
                ("send", chance.choice([delivered, refused]), None),
            ]
        )
        for _ in range(40)
    ]

    await _play(store, look, acts)


async def _open_and_play(database: SqliteDatabase, acts: list[Any]) -> None:
    store = await database.open()
    try:
        await _play(store, Look(database), acts)
    finally:
        await store.close()


async def _play(store: Store, look: Look, acts: list[Any]) -> None:
    ids: list[str] = []
    sent: list[tuple[int, int]] = []
    for number, (act, first, second) in enumerate(acts):
        now = NOW + number
        if act == "accept":
            await accept(store, owed(f"{number}", number=first, action_id=first, type=second), now=now)
            ids.append(f"dlv_{number}")
        elif act == "replay" and ids:
            replay_id = f"dlv_r{number}"
            rendered = owed_delivery(replay_id) if second else None
            with suppress(ReplayRefused):
                owed_replay = OwedReplay(id=replay_id, replay_of=ids[first % len(ids)], anew=rendered)
                await store.replay(owed_replay, now, NO_LEASE)
                ids.append(replay_id)
        elif act == "send":
            for leased in (await store.claim(now, terms())).leased:
                sent.append(leased.position[:2])
                await store.finish(first(leased, now), now, NO_LEASE)
        look.check()
    assert sent == sorted(sent)
