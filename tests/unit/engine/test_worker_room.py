"""What a worker may have in flight, and what is set aside until there is room for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.attempt import Unreachable
from hookengine.domain.gate import FIRST_BREAK, TRIP_AFTER
from hookengine.domain.hook import LanePolicy
from hookengine.engine.room import InFlight
from hookengine.store.calls import Finished, Leased, Seat
from tests.conftest import NOW, Clock
from tests.contract.conftest import terms
from tests.unit.engine.workers import LEASE, Stage, on_stage, running

pytestmark = pytest.mark.anyio


async def test_no_more_is_claimed_than_can_be_sent_at_once(tmp_path: Path, clock: Clock) -> None:
    async with on_stage(tmp_path / "engine.db", clock, in_flight=InFlight(node=2)) as stage:
        stage.far_end.gate.clear()
        await stage.owe("dlv_a", "dlv_b", "dlv_c")

        async with running(stage):
            await stage.far_end.has(2)
            free = stage.worker.offer().terms.room.free
            waiting = [stage.status(delivery)[0] for delivery in ("dlv_a", "dlv_b", "dlv_c")]
            stage.far_end.gate.set()
            await stage.far_end.has(3)
            await stage.heard("delivery.ended", delivery=stage.far_end.ids[2])

    assert free == 0
    assert sorted(waiting) == ["queued", "sending", "sending"]


async def test_what_one_offer_took_is_not_there_for_another(stage: Stage) -> None:
    seat = Seat("target.example", "hook_1", suspect=False)

    async with running(stage):
        first, second = stage.worker.offer(), stage.worker.offer()
        wait = first.terms.room.take(seat)
        left = second.terms.room.free
        first.terms.room.give(seat)

    assert (wait, left) == (None, 511)


async def test_room_that_was_taken_in_vain_is_used(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction took it, and failed."""
    seat = Seat("target.example", "hook_1", suspect=False)

    async with on_stage(tmp_path / "engine.db", clock, in_flight=InFlight(node=1)) as stage, running(stage):
        await stage.alarm_or_rest()
        stage.worker.room.take(seat)
        await stage.owe("dlv_a")
        stage.worker.wake()
        await stage.alarm_or_rest()
        while_taken = stage.status("dlv_a")
        await asyncio.to_thread(stage.worker.room.give, seat)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")

    assert while_taken == ("queued", 0)


# What was set aside


async def test_a_backlog_beyond_what_its_host_may_take_goes_on_as_requests_end(
    tmp_path: Path, clock: Clock
) -> None:
    ids = [f"dlv_{number}" for number in range(5)]

    async with on_stage(tmp_path / "engine.db", clock, in_flight=InFlight(host=2)) as stage:
        await stage.owe(*ids)
        async with running(stage):
            for delivery_id in ids:
                await stage.heard("delivery.ended", delivery=delivery_id, status="delivered")

    assert sorted(stage.far_end.ids) == ids


async def test_what_a_finish_left_for_lack_of_room_goes_on_as_requests_end(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: list[Leased] = []

    async with on_stage(tmp_path / "engine.db", clock, in_flight=InFlight(host=1)) as stage, running(stage):
        record = stage.recorder.record

        async def record_when_its_seat_is_taken(*arguments: Any) -> Finished:
            monkeypatch.undo()
            await stage.owe("dlv_x")
            other.extend((await stage.store.claim(clock.now(), terms(room=stage.worker.room))).leased)
            return await record(*arguments)

        monkeypatch.setattr(stage.recorder, "record", record_when_its_seat_is_taken)
        await stage.owe("dlv_a", "dlv_b", lane="one", policy=LanePolicy.ORDERED)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a")
        await stage.alarm_or_rest()
        await stage.worker.deliver(other[0], clock.ticks() + LEASE)
        await stage.heard("delivery.ended", delivery="dlv_b")

    assert stage.far_end.ids == ["dlv_a", "dlv_x", "dlv_b"]


async def test_what_waits_for_its_rate_sets_the_alarm(stage: Stage, clock: Clock) -> None:
    await stage.owe("dlv_a", "dlv_b", lane="one", policy=LanePolicy.ORDERED, rate="1/min")

    async with running(stage):
        await stage.heard("delivery.ended", delivery="dlv_a")
        await stage.alarm.set_for(NOW + 60_000)
        sent_by_then = stage.far_end.ids
        clock.advance(seconds=60)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_b")

    assert sent_by_then == ["dlv_a"]


async def test_what_waits_for_a_host_goes_on_as_soon_as_its_probe_succeeds(
    stage: Stage, clock: Clock
) -> None:
    failing = [f"dlv_{number}" for number in range(TRIP_AFTER)]
    stage.far_end.outcomes.extend(Unreachable(reason="no route") for _ in failing)
    await stage.owe(*failing)

    async with running(stage):
        await stage.heard("circuit.opened", host="target.example")
        await stage.owe("dlv_a", "dlv_b", "dlv_c")
        stage.worker.wake()
        await stage.alarm_or_rest()
        sent_by_then = len(stage.far_end.sent)
        clock.advance(seconds=2 * FIRST_BREAK / 1000)
        stage.worker.wake()
        await stage.heard("circuit.closed", host="target.example")
        await stage.heard("attempt.finished", verdict="Accept", attempt=1)
        for number in range(3):
            await stage.far_end.has(TRIP_AFTER + 1 + number)

    assert sent_by_then == TRIP_AFTER
