"""A worker that stops, and leases that end."""

from __future__ import annotations

import asyncio

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.store.calls import Seat
from tests.conftest import Clock
from tests.contract.conftest import terms
from tests.unit.engine.workers import LEASE, PATIENCE, Stage, running

pytestmark = pytest.mark.anyio


async def test_nothing_is_leased_before_it_runs_and_after_it_stopped(stage: Stage) -> None:
    before = stage.worker.offer().terms.room.free
    async with running(stage):
        during = stage.worker.offer().terms.room.free

    assert (before, during, stage.worker.offer().terms.room.free) == (0, 512, 0)


async def test_stopping_waits_for_what_is_under_way_and_takes_nothing_more(stage: Stage) -> None:
    stage.far_end.gate.clear()
    await stage.owe("dlv_a", "dlv_b", lane="one", policy=LanePolicy.ORDERED)

    async with running(stage):
        await stage.far_end.has(1)
        stopping = asyncio.create_task(stage.worker.stop(PATIENCE))
        await asyncio.sleep(0)
        stage.far_end.gate.set()
        await stopping

    assert stage.status("dlv_a") == ("delivered", 1)
    assert stage.status("dlv_b") == ("queued", 0)


async def test_what_is_cut_off_before_a_byte_left_is_given_back(stage: Stage) -> None:
    stage.far_end.gate.clear()
    await stage.owe("dlv_a")

    async with running(stage):
        await stage.far_end.has(1)
        await stage.worker.stop(0)

    assert stage.status("dlv_a") == ("queued", 0)


async def test_what_is_cut_off_after_bytes_left_is_recorded_as_unknown_and_tried_again(stage: Stage) -> None:
    stage.far_end.gate.clear()
    stage.far_end.written = True
    await stage.owe("dlv_a")

    async with running(stage):
        await stage.far_end.has(1)
        await stage.worker.stop(0)

    told = await stage.heard("attempt.finished", delivery="dlv_a", verdict="TryAgain")
    assert told["outcome"] == "unknown: stopped"
    assert stage.status("dlv_a") == ("retrying", 1)


async def test_stopping_waits_for_leases_that_a_store_is_about_to_grant(stage: Stage) -> None:
    seat = Seat("target.example", "hook_1", suspect=False)

    async with running(stage):
        stage.worker.room.take(seat)
        stopping = asyncio.create_task(stage.worker.stop(PATIENCE))
        await asyncio.sleep(0)
        too_early = stopping.done()
        stage.worker.room.give(seat)
        stage.worker.wake()
        await stopping

    assert not too_early


async def test_a_worker_that_is_stopped_before_its_first_step_does_not_start(stage: Stage) -> None:
    await stage.owe("dlv_a")

    running = asyncio.create_task(stage.worker.run(stage.alarm))
    await stage.worker.stop(PATIENCE)
    async with asyncio.timeout(PATIENCE):
        await running

    assert stage.status("dlv_a") == ("queued", 0)


# Leases that end


@pytest.mark.parametrize(("passed", "deadline"), [(0, 30.0), (20, 27.0), (40, 7.0)])
async def test_a_request_never_outlasts_its_lease(
    stage: Stage, clock: Clock, passed: float, deadline: float
) -> None:
    await stage.owe("dlv_a")
    ends = clock.ticks() + LEASE
    claimed = await stage.store.claim(clock.now(), terms(1))

    async with running(stage):
        clock.advance(seconds=passed)
        stage.worker.room.take(claimed.leased[0].seat)
        await stage.worker.deliver(claimed.leased[0], ends)

    assert [left for _, _, left in stage.far_end.sent] == [deadline]


async def test_a_lease_that_is_too_short_is_given_back_unsent(stage: Stage, clock: Clock) -> None:
    await stage.owe("dlv_a")
    ends = clock.ticks() + LEASE
    claimed = await stage.store.claim(clock.now(), terms(1))

    async with running(stage):
        clock.advance(seconds=47)
        stage.worker.room.take(claimed.leased[0].seat)
        await stage.worker.deliver(claimed.leased[0], ends)

        given_back = stage.far_end.sent == []
        (why,) = [facts["because"] for name, facts in stage.told if name == "delivery.given_back"]
        await stage.alarm.set_for(clock.now() + 1_000)
        clock.advance(seconds=1)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")

    assert given_back
    assert why == "there is no time left before its lease ends"
    assert stage.status("dlv_a") == ("delivered", 1), "given back, it was taken again a second later"


async def test_a_lease_that_comes_while_stopping_is_given_back(stage: Stage, clock: Clock) -> None:
    await stage.owe("dlv_a")
    ends = clock.ticks() + LEASE
    claimed = await stage.store.claim(clock.now(), terms(1))

    await stage.worker.deliver(claimed.leased[0], ends)

    assert stage.far_end.sent == []
    assert stage.status("dlv_a") == ("queued", 0)
