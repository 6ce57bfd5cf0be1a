from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.capture import Capture
from hookengine.domain.clock import Millis
from hookengine.domain.event import Event
from hookengine.domain.hook import Hook, HookRequest
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.intake import Intake, Limits, at_index
from hookengine.engine.offer import Offer
from hookengine.engine.signals import Signals
from hookengine.errors import EventConflict, InvalidEvent, StaleContext, StoreError
from hookengine.store.calls import Intake as Written
from hookengine.store.calls import Leased, LeaseTerms, OwedEvent
from hookengine.store.care import Definitions
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW, Clock, event_document, make_hook, make_pipeline, make_vault
from tests.contract.conftest import Seats, terms
from tests.definitions import define
from tests.sqlite import empty_database

pytestmark = pytest.mark.anyio

HOOKS = (
    make_hook(id="started", events=("action.started",), body={"branch": "{{ action.branch }}"}),
    make_hook(id="failed", events=("action.failed",), body={"branch": "{{ action.branch }}"}),
)


class Hands:
    """A worker that only remembers what it was handed."""

    def __init__(self) -> None:
        self.room = Seats(10)
        self.taken: list[Leased] = []
        self.woken = 0

    def offer(self) -> Offer:
        return Offer(terms(room=self.room), self.taken.extend)

    def wake(self) -> None:
        self.woken += 1


class Stage:
    def __init__(self, store: SqliteStore, catalogue: Catalogue, clock: Clock, limits: Limits) -> None:
        self.store, self.hands, self.signals = store, Hands(), Signals()
        vault = make_vault(sealed=store.sealed, paths=["**.token"])
        self.intake = Intake(store, catalogue, vault, self.hands, self.signals, clock, limits)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.signals.listen(lambda name, facts: self.told.append((name, facts)))

    async def accept(self, *documents: dict[str, Any]) -> list[dict[str, Any]]:
        return await self.intake.accept([Event.parse(document) for document in documents])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(empty_database(tmp_path / "engine.db"))
    yield store
    await store.close()


async def opened(store: SqliteStore, clock: Clock, hooks: tuple[Hook, ...] = HOOKS, **limits: Any) -> Stage:
    defined = await define(store, Definitions(pipelines=(make_pipeline(),), hooks=hooks), "test", NOW)
    return Stage(store, Catalogue(defined), clock, Limits(**limits))


@pytest.fixture
async def stage(store: SqliteStore, clock: Clock) -> Stage:
    return await opened(store, clock)


def started(event_id: str = "evt_1", **action: Any) -> dict[str, Any]:
    return event_document(id=event_id, action={"branch": "main", **action})


async def test_what_an_event_owes_is_handed_to_the_worker(stage: Stage) -> None:
    (answer,) = await stage.accept(started())

    (leased,) = stage.hands.taken
    assert [hook["id"] for hook in answer["hooks"]] == ["started"]
    assert leased.delivery_id == answer["hooks"][0]["delivery"]
    assert leased.request.body == ('{"branch":"main"}',)
    assert stage.hands.woken == 0


async def test_what_a_busy_worker_cannot_take_is_left_due(stage: Stage, clock: Clock) -> None:
    stage.hands.room.free = 0

    await stage.accept(started())

    assert stage.hands.taken == []
    assert stage.hands.woken == 1
    assert await stage.store.next_due(clock.now()) == clock.now()


async def test_an_event_is_rendered_from_what_the_action_is_remembered_by(stage: Stage) -> None:
    failed = event_document(id="evt_2", type="action.failed", action={"number": None})
    await stage.accept(started())

    await stage.accept(failed)

    assert stage.hands.taken[-1].request.body == ('{"branch":"main"}',)


async def test_an_event_sees_what_those_before_it_in_the_same_list_brought(stage: Stage) -> None:
    failed = event_document(id="evt_2", type="action.failed", action={"branch": "main"})
    later = event_document(id="evt_3", type="action.failed", action={"id": 8})

    answers = await stage.accept(started(), failed, later)

    assert [len(answer["hooks"]) for answer in answers] == [1, 1, 1]
    assert "problem" not in answers[1]["hooks"][0]
    assert "action.branch" in answers[2]["hooks"][0]["problem"]


async def test_the_same_event_again_changes_nothing(stage: Stage) -> None:
    first = await stage.accept(started())

    second = await stage.accept(started())

    assert second == first
    assert len(stage.hands.taken) == 1
    assert [name for name, _ in stage.told] == ["event.accepted", "event.repeated"]


async def test_the_same_event_twice_in_one_list_is_accepted_once(stage: Stage) -> None:
    first, second = await stage.accept(started(), started())

    assert first == second
    assert len(stage.hands.taken) == 1


async def test_another_body_under_the_same_id_is_refused_with_all_that_came_along(stage: Stage) -> None:
    await stage.accept(started())

    with pytest.raises(EventConflict):
        await stage.accept(started("evt_2"), started("evt_1", branch="other"))

    assert (await stage.store.remember(["1:evt_2"], [])).events == {}


async def test_secrets_are_sealed_beside_and_not_part_of_the_event(stage: Stage) -> None:
    document = started()
    document["application"] = {"token": "t0ken"}

    await stage.accept(document)
    document["application"] = {"token": "another"}
    again = await stage.accept(document)

    assert again[0]["id"] == "evt_1"
    assert await stage.store.sealed(1, "application.token") == "t0ken"


async def test_a_delivery_that_cannot_be_rendered_fails_alone(stage: Stage) -> None:
    (answer,) = await stage.accept(event_document(action={"branch": None}))

    (hook,) = answer["hooks"]
    assert "settings.request_body.branch, line 1, column 4" in hook["problem"]
    assert stage.hands.taken == []
    assert (
        "delivery.ended",
        {"delivery": hook["delivery"], "status": "failed", "because": hook["problem"]},
    ) in stage.told


async def test_more_or_fewer_events_than_allowed_are_refused(store: SqliteStore, clock: Clock) -> None:
    stage = await opened(store, clock, largest_batch=2)

    with pytest.raises(InvalidEvent, match="not 3"):
        await stage.accept(*[started(f"evt_{number}") for number in range(3)])
    with pytest.raises(InvalidEvent, match="not 0"):
        await stage.accept()


async def test_a_context_that_would_grow_too_large_is_refused(store: SqliteStore, clock: Clock) -> None:
    stage = await opened(store, clock, context_bytes=1000)
    await stage.accept(started(a="x" * 500))

    with pytest.raises(InvalidEvent) as refused:
        await stage.accept(started("evt_2"), started("evt_3", b="x" * 500))

    assert list(refused.value.errors) == ["[1].action"]


async def test_all_pipelines_that_are_unknown_are_told_with_their_place(stage: Stage) -> None:
    with pytest.raises(InvalidEvent) as refused:
        await stage.accept(started(pipeline=2), started("evt_2"), started("evt_3", pipeline="x"))

    assert list(refused.value.errors) == ["[0].action.pipeline", "[2].action.pipeline"]


async def test_events_of_unknown_pipelines_create_each_of_them_once(store: SqliteStore, clock: Clock) -> None:
    stage = await opened(store, clock, create_pipelines=True)
    names = ["one", "two", "three"] * 2

    answers = await asyncio.gather(
        *[stage.accept(started(f"evt_{number}", pipeline=name)) for number, name in enumerate(names)]
    )

    created = {(told["action"]["pipeline"]["id"], told["action"]["pipeline"]["name"]) for (told,) in answers}
    assert sorted(created) == [(2, "one"), (3, "two"), (4, "three")]


async def test_events_of_one_action_at_the_same_time_lose_nothing(stage: Stage) -> None:
    await asyncio.gather(
        *[stage.accept(started(f"evt_{number}", **{f"key{number}": 1})) for number in range(100)]
    )

    remembered = (await stage.store.remember([], [(1, "7")])).actions[1, "7"]
    assert remembered[0] == 100
    assert all(f'"key{number}":1' in remembered[1] for number in range(100))


def failed(error: Exception) -> asyncio.Future[Written]:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_exception, error)
    return future


async def test_it_gives_up_when_the_action_never_stands_still(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Written]:
        return failed(StaleContext("moved on"))

    monkeypatch.setattr(stage.store, "accept", stale)

    with pytest.raises(StaleContext, match="try again"):
        await stage.accept(started())


async def test_a_worker_is_told_of_the_room_that_a_failed_write_gave_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Written]:
        return failed(StoreError("the disk is full"))

    monkeypatch.setattr(stage.store, "accept", fail)

    with pytest.raises(StoreError, match="the disk is full"):
        await stage.accept(started())

    assert stage.hands.woken == 1


async def test_a_caller_who_goes_away_does_not_lose_the_lease(stage: Stage) -> None:
    reached, gate, accept = asyncio.Event(), asyncio.Event(), stage.store.accept

    async def late(*asked: Any) -> Written:
        reached.set()
        await gate.wait()
        return await accept(*asked)

    def slowly(events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms) -> asyncio.Future[Written]:
        return asyncio.ensure_future(late(events, now, terms))

    stage.store.accept = slowly  # type: ignore[method-assign]
    caller = asyncio.create_task(stage.accept(started()))
    async with asyncio.timeout(60):
        await reached.wait()
        told = asyncio.create_task(stage.signals.wait_for("event.accepted"))

        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gate.set()
        await told

    assert len(stage.hands.taken) == 1


def test_a_place_is_told_only_where_there_are_several() -> None:
    assert at_index({"type": ["no"]}, 1, 2) == {"[1].type": ["no"]}
    assert at_index({"type": ["no"]}, 0, 1) == {"type": ["no"]}


async def test_a_context_is_measured_in_bytes(store: SqliteStore, clock: Clock) -> None:
    stage = await opened(store, clock, context_bytes=1_000)

    with pytest.raises(InvalidEvent, match="beyond 1000 bytes"):
        await stage.accept(event_document(application={"name": "\N{GRINNING FACE}" * 300}))


async def test_a_request_may_not_hold_more_contexts_than_memory_is_meant_for(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.engine.intake.LARGEST_TOTAL", 5_000)
    stage = await opened(store, clock)
    large = [event_document(id=f"e-{n}", application={"blob": "x" * 1_000}) for n in range(10)]

    with pytest.raises(InvalidEvent, match="send fewer at a time"):
        await stage.accept(*large)


async def test_a_hook_of_several_requests_owes_a_delivery_for_each_in_one_lane(
    store: SqliteStore, clock: Clock
) -> None:
    hook = several(body={"id": "{{ captured.id }}"})
    stage = await opened(store, clock, hooks=(hook,))

    (answer,) = await stage.accept(started())

    (create,) = stage.hands.taken
    (told,) = answer["hooks"]
    assert told["before"] == [create.delivery_id]
    assert told["delivery"] != create.delivery_id
    assert create.lane_key == "hook:several:1:7"
    assert create.request.body == ('{"of":"main"}',)


async def test_if_one_of_them_cannot_be_rendered_none_is_owed(store: SqliteStore, clock: Clock) -> None:
    stage = await opened(store, clock, hooks=(several(body={"id": "{{ nothing }}"}),))

    (answer,) = await stage.accept(started())

    (told,) = answer["hooks"]
    assert "nothing is not in the context" in told["problem"]
    assert "before" not in told
    assert stage.hands.taken == []


def several(**changes: Any) -> Hook:
    create = HookRequest(
        target_url="https://target.example/things",
        body={"of": "{{ action.branch }}"},
        captures=(Capture(name="id", path="id"),),
        once_per_lane=True,
    )
    return make_hook(id="several", before=(create,), **changes)


async def test_what_templates_see_of_the_pipeline_counts_towards_what_a_hook_is_rendered_from(
    store: SqliteStore, clock: Clock
) -> None:
    pipeline = make_pipeline(context={"notes": {"text": "x" * 150_000}})
    defined = await define(store, Definitions(pipelines=(pipeline,), hooks=HOOKS), "test", NOW)
    stage = Stage(store, Catalogue(defined), clock, Limits())

    (small,) = await stage.accept(started())
    (large,) = await stage.accept(started("evt_2", id=8, log="x" * 150_000))

    assert "problem" not in small["hooks"][0]
    assert "the context is larger than 256 KiB" in large["hooks"][0]["problem"]


async def test_what_an_event_lays_over_the_pipelines_context_counts_once(
    store: SqliteStore, clock: Clock
) -> None:
    pipeline = make_pipeline(context={"notes": {"text": "x" * 150_000}})
    defined = await define(store, Definitions(pipelines=(pipeline,), hooks=HOOKS), "test", NOW)
    stage = Stage(store, Catalogue(defined), clock, Limits())

    (answer,) = await stage.accept({**started(), "notes": {"text": "y" * 150_000}})

    assert "problem" not in answer["hooks"][0]
