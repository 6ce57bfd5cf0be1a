from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Outcome, Unknown, Unreachable
from hookengine.domain.clock import Millis
from hookengine.domain.gate import FIRST_BREAK, TRIP_AFTER
from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.request import RenderedRequest
from hookengine.domain.retry import RetryPolicy
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.recording import Recorder
from hookengine.engine.room import InFlight
from hookengine.engine.signals import Facts, Signals
from hookengine.engine.worker import Capacity, Worker
from hookengine.errors import StoreError
from hookengine.store.calls import Finished, Leased, LeaseTerms, OwedDelivery, OwedEvent, Seat
from hookengine.store.care import Definitions
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW, Clock, make_event, make_hook, make_pipeline, make_request
from tests.contract.conftest import NO_LEASE, terms
from tests.definitions import define
from tests.sqlite import empty_database

pytestmark = pytest.mark.anyio

DONE, BUSY = Answered(status=200), Answered(status=503)
PATIENCE = 60
LEASE = 50.0  # seconds, of the capacity that says nothing else


class Alarm:
    """Never rings by itself; remembers when it was to ring."""

    def __init__(self) -> None:
        self.times: list[Millis] = []
        self._news = asyncio.Event()

    def at(self, instant: Millis) -> None:
        self.times.append(instant)
        self._news.set()

    async def set_for(self, instant: Millis) -> None:
        async with asyncio.timeout(PATIENCE):
            while instant not in self.times:
                self._news.clear()
                await self._news.wait()


class FarEnd:
    """Stands in for the sender: outcomes in order, `DONE` when there are none left, held while `gate` is shut."""

    def __init__(self) -> None:
        self.outcomes: deque[Outcome | Exception] = deque()
        self.sent: list[tuple[RenderedRequest, dict[str, str], float]] = []
        self.written = False  # whether bytes have left when it is cut off
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def send(
        self,
        request: RenderedRequest,
        headers: Iterable[tuple[str, str]],
        deadline: float,
        stop: float,
        subject: str,
        hook: Hook,
    ) -> Outcome:
        self.sent.append((request, dict(headers), deadline))
        self._news.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            if self.written:
                return Unknown(reason="stopped")
            raise
        outcome = self.outcomes.popleft() if self.outcomes else DONE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def has(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.sent) < count:
                self._news.clear()
                await self._news.wait()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.sent]


class Stage:
    """A worker over a real store, with a far end, an alarm and a clock that tests move."""

    def __init__(self, store: SqliteStore, catalogue: Catalogue, clock: Clock, capacity: Capacity) -> None:
        self.store, self.clock = store, clock
        self.far_end, self.alarm, self.signals = FarEnd(), Alarm(), Signals()
        self.told: list[tuple[str, Facts]] = []
        self.signals.listen(lambda name, facts: self.told.append((name, facts)))
        self.recorder = Recorder(store, catalogue, self.signals, clock, {})
        self.worker = Worker(store, self.far_end, self.recorder, self.signals, clock, capacity)  # type: ignore[arg-type]

    async def owe(
        self, *ids: str, lane: str = "", policy: LanePolicy = LanePolicy.NONE, **changes: Any
    ) -> None:
        """Written and left due, as if another process had accepted it."""
        for delivery_id in ids:
            owed = OwedDelivery(
                id=delivery_id,
                hook_id="hook_1",
                hook_revision=1,
                lane_key=lane or delivery_id,
                policy=policy,
                request=make_request(delivery_id),
                host="target.example",
                account="target.example token",
                **changes,
            )
            event = OwedEvent(
                id=f"evt of {delivery_id}",
                event=make_event(action_id=delivery_id, number=None),
                pipeline_id=1,
                digest="",
                document="{}",
                answer="{}",
                context="{}",
                known_revision=0,
                deliveries=(owed,),
            )
            await self.store.accept([event], self.clock.now(), NO_LEASE)

    async def alarm_or_rest(self) -> None:
        """Until what was woken has looked whether anything is due: the store answers in order."""
        for _ in range(3):
            await self.store.next_due(NOW)
            await asyncio.sleep(0)

    async def heard(self, name: str, **facts: Any) -> Facts:
        for told, known in self.told:
            if told == name and facts.items() <= known.items():
                return known
        async with asyncio.timeout(PATIENCE):
            return await self.signals.wait_for(name, lambda known: facts.items() <= known.items())

    def status(self, delivery_id: str) -> tuple[str, int]:
        connection = sqlite3.connect(self.store.path)
        try:
            row: tuple[str, int] = connection.execute(
                "SELECT status, attempts FROM delivery WHERE id = ?", (delivery_id,)
            ).fetchone()
            return row
        finally:
            connection.close()


@asynccontextmanager
async def on_stage(path: Path, clock: Clock, **capacity: Any) -> AsyncIterator[Stage]:
    store = await SqliteStore.open(empty_database(path))
    hook = make_hook(timeout=30.0, retry=RetryPolicy(waits=(5_000,), jitter=0))
    defined = Definitions(pipelines=(make_pipeline(),), hooks=(hook,))
    stage = Stage(store, Catalogue(await define(store, defined, "test", NOW)), clock, Capacity(**capacity))
    try:
        yield stage
    finally:
        await store.close()


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.worker.run(stage.alarm))
    try:
        await asyncio.sleep(0)  # its first step: now it works
        yield
    finally:
        await stage.worker.stop(PATIENCE)
        await task


@pytest.fixture
async def stage(tmp_path: Path, clock: Clock) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path / "engine.db", clock) as stage:
        yield stage


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


async def test_nothing_is_leased_before_it_runs_and_after_it_stopped(stage: Stage) -> None:
    before = stage.worker.offer().terms.room.free
    async with running(stage):
        during = stage.worker.offer().terms.room.free

    assert (before, during, stage.worker.offer().terms.room.free) == (0, 512, 0)


async def test_what_one_offer_took_is_not_there_for_another(stage: Stage) -> None:
    seat = Seat("target.example", "hook_1", suspect=False)

    async with running(stage):
        first, second = stage.worker.offer(), stage.worker.offer()
        wait = first.terms.room.take(seat)
        left = second.terms.room.free
        first.terms.room.give(seat)

    assert (wait, left) == (None, 511)


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


async def test_a_worker_that_is_stopped_before_its_first_step_does_not_start(stage: Stage) -> None:
    await stage.owe("dlv_a")

    running = asyncio.create_task(stage.worker.run(stage.alarm))
    await stage.worker.stop(PATIENCE)
    async with asyncio.timeout(PATIENCE):
        await running

    assert stage.status("dlv_a") == ("queued", 0)


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
