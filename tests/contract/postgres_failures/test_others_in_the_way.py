"""Others that hold locks, make mistakes or go away fail nobody's calls but their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from hookengine.errors import StoreError
from hookengine.store.books import steps
from hookengine.store.calls import Intake, Remembered
from hookengine.store.postgres import PostgresStore
from tests.conftest import NOW
from tests.contract.conftest import NO_LEASE, Look, Seats, accept, owed, terms
from tests.contract.postgres_failures.interrupting import at, end_connections, raising
from tests.postgres import PostgresServer, Session, SharedDatabase

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "error", [asyncpg.SerializationError("again"), asyncpg.DeadlockDetectedError("again")]
)
async def test_collisions_are_tried_again(
    store: PostgresStore, look: Look, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    at(monkeypatch, steps.Write, raising(error, times=4))
    room = Seats(5)

    intake = await accept(store, owed("a"), now=NOW, terms=terms(room=room))

    assert (len(intake.leased), room.free) == (1, 4)
    look.check()


async def test_a_call_that_collides_for_ever_is_told(
    store: PostgresStore, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, steps.Write, raising(asyncpg.SerializationError("again"), times=100))
    room = Seats(5)

    with pytest.raises(StoreError, match="again"):
        await accept(store, owed("a"), now=NOW, terms=terms(room=room))

    assert (room.free, look.count("event")) == (5, 0)


async def test_a_deadlock_with_somebody_else_is_survived(
    postgres_database: SharedDatabase, look: Look, somebody: Session
) -> None:
    patient = await PostgresStore.open(postgres_database.url, own_clock=False)
    for name in "ab":
        await accept(patient, owed(name, action_id=name, lane_key=name), now=NOW)
    somebody.execute("BEGIN; SELECT FROM lane WHERE key = 'b' FOR UPDATE")
    both = [owed(f"{name}2", action_id=f"{name}2", lane_key=name) for name in "ab"]
    accepting = asyncio.create_task(accept(patient, *both, now=NOW))

    while True:  # until it waits for b
        await asyncio.sleep(0)
        if postgres_database.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            break
    await asyncio.to_thread(somebody.execute, "SELECT FROM lane WHERE key = 'a' FOR UPDATE; COMMIT")
    await accepting
    await patient.close()

    assert look.count("event") == 4
    look.check()


async def test_a_lane_that_somebody_holds_locked_fails_its_own_call_only(
    store: PostgresStore, look: Look, somebody: Session
) -> None:
    for name in "abc":
        await accept(store, owed(name, action_id=name, lane_key=name), now=NOW)
    somebody.execute("BEGIN; SELECT FROM lane WHERE key = 'b' FOR UPDATE")
    events = [owed(f"{name}2", action_id=f"{name}2", lane_key=name) for name in "abc"]

    told = await asyncio.gather(
        *[store.accept([event], NOW, NO_LEASE) for event in events], return_exceptions=True
    )
    somebody.execute("COMMIT")

    assert [type(each) for each in told] == [Intake, StoreError, Intake]
    look.check()


async def test_one_calls_mistake_fails_alone(store: PostgresStore, look: Look) -> None:
    room = Seats(5)
    events = [owed(name, action_id=name, lane_key=name) for name in ("a", "no\0text", "c")]

    told = await asyncio.gather(
        *[store.accept([event], NOW, terms(room=room)) for event in events], return_exceptions=True
    )

    assert [type(each) for each in told] == [Intake, StoreError, Intake]
    assert room.free == 3
    look.check()


async def test_one_questions_mistake_fails_alone(store: PostgresStore) -> None:
    await accept(store, owed("a"), now=NOW)

    told = await asyncio.gather(
        *[store.remember([event], []) for event in ("1:evt_a", "no\0text", "1:evt_b")], return_exceptions=True
    )

    assert [type(each) for each in told] == [Remembered, StoreError, Remembered]
    assert isinstance(told[0], Remembered)
    assert told[0].events == {"1:evt_a": ("digest of a", '{"event":"a"}')}


async def test_a_server_that_only_reads_is_left_until_it_writes_again(
    store: PostgresStore,
    postgres_database: SharedDatabase,
    postgres_server: PostgresServer,
    patience: Callable[[float], None],
) -> None:
    patience(0.3)
    postgres_server.execute("ALTER DATABASE shared SET default_transaction_read_only = on")
    end_connections(postgres_database)
    try:
        with pytest.raises(StoreError, match="read-only"):
            await store.accept([owed("a")], NOW, NO_LEASE)
        with pytest.raises(StoreError, match="read-only"):
            await store.writable()
    finally:
        postgres_server.execute("ALTER DATABASE shared RESET default_transaction_read_only")

    patience(20.0)
    assert (await store.accept([owed("a")], NOW, NO_LEASE)).accepted[0].fresh
    await store.writable()


# Callers that go away


async def test_a_caller_that_goes_away_does_not_stop_its_call(
    store: PostgresStore, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    at(monkeypatch, steps.Write, begun.set)
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, NO_LEASE))
    await begun.wait()

    accepting.cancel()
    await accept(store, owed("b", action_id=2, lane_key="b"), now=NOW)

    assert accepting.cancelled()
    assert look.count("event") == 2
    look.check()


async def test_what_was_asked_before_the_store_is_closed_is_written(
    postgres_database: SharedDatabase, look: Look
) -> None:
    store = await PostgresStore.open(postgres_database.url, own_clock=False)
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, NO_LEASE))
    await asyncio.sleep(0)  # it has been asked

    await store.close()

    assert (await accepting).accepted[0].fresh
    with pytest.raises(StoreError, match="closed"):
        await store.accept([owed("b")], NOW, NO_LEASE)
    assert look.count("event") == 1
