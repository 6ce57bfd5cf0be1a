"""What is due is sent, and what comes of it is told."""

from __future__ import annotations

import pytest

from hookengine.domain.attempt import Unreachable
from hookengine.domain.clock import Millis
from hookengine.domain.hook import LanePolicy
from hookengine.errors import StoreError
from hookengine.store.calls import LeaseTerms
from tests.conftest import NOW, Clock, make_request
from tests.contract.conftest import terms
from tests.unit.engine.workers import BUSY, Stage, running

pytestmark = pytest.mark.anyio


async def test_what_is_due_is_sent_when_the_worker_wakes(stage: Stage) -> None:
    async with running(stage):
        await stage.owe("dlv_a", "dlv_b")
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")
        await stage.heard("delivery.ended", delivery="dlv_b", status="delivered")

    assert sorted(stage.far_end.ids) == ["dlv_a", "dlv_b"]


async def test_a_request_carries_its_id_and_its_position(stage: Stage) -> None:
    await stage.owe("dlv_a")

    async with running(stage):
        await stage.heard("delivery.ended", delivery="dlv_a")

    request, headers, deadline = stage.far_end.sent[0]
    assert request == make_request("dlv_a")
    assert headers == {"webhook-id": "dlv_a", "hookengine-position": "1.1.1"}
    assert deadline == 30.0


async def test_the_next_of_a_lane_follows_at_once_without_waking(stage: Stage) -> None:
    await stage.owe("dlv_a", "dlv_b", "dlv_c", lane="one", policy=LanePolicy.ORDERED)

    async with running(stage):
        await stage.heard("delivery.ended", delivery="dlv_c")

    assert stage.far_end.ids == ["dlv_a", "dlv_b", "dlv_c"]


async def test_a_delivery_to_be_tried_again_sets_the_alarm(stage: Stage, clock: Clock) -> None:
    stage.far_end.outcomes.append(BUSY)

    async with running(stage):
        await stage.owe("dlv_a")
        stage.worker.wake()
        await stage.heard("attempt.finished", delivery="dlv_a", verdict="TryAgain")
        await stage.alarm.set_for(NOW + 5_000)
        sent_by_then = len(stage.far_end.sent)
        clock.advance(seconds=5)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a")

    assert sent_by_then == 1
    assert stage.status("dlv_a") == ("delivered", 2)


async def test_what_a_node_died_of_is_sent_one_after_another_without_a_pause(stage: Stage) -> None:
    await stage.owe("dlv_a", "dlv_b", "dlv_c")
    await stage.store.claim(NOW, terms(lease=0))  # by a node that dies
    stage.far_end.gate.clear()

    async with running(stage):
        await stage.far_end.has(1)
        await stage.alarm_or_rest()
        sent_beside = len(stage.far_end.sent) - 1
        stage.far_end.gate.set()
        await stage.far_end.has(3)

    assert sent_beside == 0


async def test_a_failing_database_is_told_and_asked_again_in_a_second(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(now: Millis, terms: LeaseTerms, held: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(stage.store, "claim", fail)
    monkeypatch.setattr("hookengine.engine.worker.random.uniform", lambda least, most: most)
    await stage.owe("dlv_a")

    async with running(stage):
        told = await stage.heard("store.failed", doing="claiming")
        await stage.alarm.set_for(NOW + 1_000)
        monkeypatch.undo()
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")

    assert told["error"] == "the disk is full"


async def test_an_attempt_that_breaks_off_is_told_and_does_not_stop_the_worker(stage: Stage) -> None:
    stage.far_end.outcomes.append(RuntimeError("a bug"))

    async with running(stage):
        await stage.owe("dlv_a")
        stage.worker.wake()
        told = await stage.heard("worker.failed", doing="delivering")
        await stage.owe("dlv_b")
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_b", status="delivered")

    assert told["error"] == "RuntimeError", "whose text might hold anything"


async def test_a_rescued_attempt_is_told(stage: Stage, clock: Clock) -> None:
    await stage.owe("dlv_a")
    await stage.store.claim(clock.now(), terms(1))
    clock.advance(seconds=50)

    async with running(stage):
        await stage.heard("attempt.rescued", delivery="dlv_a")
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")

    assert stage.status("dlv_a") == ("delivered", 2)


async def test_every_attempt_is_told_with_what_follows(stage: Stage) -> None:
    stage.far_end.outcomes.append(Unreachable(reason="no route"))
    await stage.owe("dlv_a")

    async with running(stage):
        started = await stage.heard("attempt.started")
        finished = await stage.heard("attempt.finished")

    assert (started["delivery"], started["attempt"], started["lane"]) == ("dlv_a", 1, "dlv_a")
    assert finished["outcome"] == "unreachable: no route"
    assert finished["verdict"] == "TryAgain"
    assert finished["next_try"] == "2026-11-18T11:06:45.000Z"


async def test_a_database_that_fails_before_sending_costs_no_attempt(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(leased: object) -> None:
        monkeypatch.undo()
        raise StoreError("locked")

    monkeypatch.setattr(stage.recorder, "hook_of", fail)
    await stage.owe("dlv_a")

    async with running(stage):
        stage.worker.wake()
        await stage.alarm.set_for(NOW + 1_000)
        given_back = stage.status("dlv_a")
        clock.advance(seconds=1)
        stage.worker.wake()
        await stage.heard("delivery.ended", delivery="dlv_a", status="delivered")

    assert given_back == ("queued", 0)
    assert stage.status("dlv_a") == ("delivered", 1)
