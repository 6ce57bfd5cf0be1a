"""Replays of many as the store keeps them: taken by one node at a time, counted once, and ended for good."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.replay import Replay, ReplayMode, ReplayState, ReplayStep
from hookengine.domain.retry import DAY
from hookengine.errors import NotFound, ReplayRefused
from hookengine.store.care import FROM_THE_START, Horizon, LeftOff
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import SECOND, Look

pytestmark = pytest.mark.anyio

HELD = 60 * SECOND
REPLAY = Replay(
    id="rpl_1",
    mode=ReplayMode.SAME,
    wanted='{"terms": {}, "since": null, "until": null, "seen": null}',
    per_minute=60,
    up_to="dlv_9",
    total=9,
    created_at=NOW,
)


def step(place: str, **changes: Any) -> ReplayStep:
    values: dict[str, Any] = {
        "replayed": 1,
        "refused": 0,
        "problems": (),
        "due_at": NOW + SECOND,
        "finished": False,
    }
    return ReplayStep(place=place, **{**values, **changes})


async def test_one_that_is_due_is_taken_by_one_node_until_that_is_done_or_gone(store: Store) -> None:
    await store.begin_replay(REPLAY, NOW)
    await store.begin_replay(REPLAY, NOW)

    first = await store.take_replay(NOW, NOW + HELD)
    second = await store.take_replay(NOW, NOW + HELD)
    after_a_crash = await store.take_replay(NOW + HELD, NOW + 2 * HELD)

    assert (first, second, after_a_crash) == (REPLAY, None, REPLAY)


async def test_a_step_that_two_nodes_took_is_counted_once(store: Store, look: Look) -> None:
    await store.begin_replay(REPLAY, NOW)

    for _ in range(2):
        await store.advance_replay(REPLAY, step("dlv_1", refused=1, problems=("dlv_1: no",)), NOW)

    taken = await store.take_replay(NOW + SECOND, NOW + HELD)
    assert taken is not None
    assert (taken.place, taken.replayed, taken.refused, taken.problems) == ("dlv_1", 1, 1, ("dlv_1: no",))


async def test_one_that_is_paused_is_not_taken_and_goes_on_where_it_was(store: Store) -> None:
    await store.begin_replay(REPLAY, NOW)
    taken = await store.take_replay(NOW, NOW + HELD)
    assert taken is not None
    await store.switch_replay("rpl_1", ReplayState.PAUSED, NOW)
    await store.advance_replay(taken, step("dlv_1"), NOW)

    while_paused = await store.take_replay(NOW + HELD, NOW + HELD)
    await store.switch_replay("rpl_1", ReplayState.RUNNING, NOW + HELD)
    again = await store.take_replay(NOW + HELD, NOW + 2 * HELD)

    assert while_paused is None
    assert again is not None
    assert (again.place, again.replayed) == ("dlv_1", 1)


async def test_one_that_has_ended_has_ended_for_good(store: Store) -> None:
    await store.begin_replay(REPLAY, NOW)
    await store.advance_replay(REPLAY, step("dlv_9", finished=True), NOW)

    for state in (ReplayState.RUNNING, ReplayState.PAUSED, ReplayState.CANCELLED):
        with pytest.raises(ReplayRefused, match=f"replay rpl_1 is finished: it cannot become {state}"):
            await store.switch_replay("rpl_1", state, NOW)
    with pytest.raises(NotFound):
        await store.switch_replay("rpl_2", ReplayState.PAUSED, NOW)
    assert await store.take_replay(NOW + HELD, NOW + HELD) is None


async def test_one_that_was_cancelled_while_its_last_step_ran_stays_cancelled(
    store: Store, look: Look
) -> None:
    await store.begin_replay(REPLAY, NOW)
    await store.switch_replay("rpl_1", ReplayState.CANCELLED, NOW)
    await store.switch_replay("rpl_1", ReplayState.CANCELLED, NOW)

    await store.advance_replay(REPLAY, step("dlv_9", finished=True), NOW)

    with pytest.raises(ReplayRefused, match="is cancelled"):
        await store.switch_replay("rpl_1", ReplayState.RUNNING, NOW)


async def test_one_that_ended_long_ago_is_pruned_and_one_that_runs_is_not(store: Store, look: Look) -> None:
    await store.begin_replay(REPLAY, NOW)
    horizon = Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + DAY)

    await _prune(store, horizon)
    running = look.count("replay")
    await store.switch_replay("rpl_1", ReplayState.CANCELLED, NOW)
    await _prune(store, horizon)

    assert (running, look.count("replay")) == (1, 0)


async def _prune(store: Store, horizon: Horizon) -> None:
    place: LeftOff | None = FROM_THE_START
    while place is not None:
        place = (await store.prune(horizon, 10, place)).left_off
