"""A PostgreSQL that goes away or does not answer: calls are tried again, or told in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from hookengine.errors import StoreError
from hookengine.store.books import steps
from hookengine.store.postgres import PostgresStore
from tests.conftest import NOW
from tests.contract.conftest import LEASE, NO_LEASE, Look, Seats, accept, delivered, owed, terms
from tests.contract.postgres_failures.interrupting import Interruption, a_lease, at, end_connections
from tests.faults.proxy import Proxy
from tests.postgres import PostgresServer, SharedDatabase

pytestmark = pytest.mark.anyio


async def test_a_connection_that_ended_between_two_calls_is_replaced_unnoticed(
    store: PostgresStore, postgres_database: SharedDatabase, look: Look
) -> None:
    end_connections(postgres_database)

    leased = await a_lease(store)
    finished = await store.finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)

    assert finished.status == "delivered"
    assert (await store.remember(["1:evt_a"], [])).events.keys() == {"1:evt_a"}
    assert await store.next_due(NOW) is None
    look.check()


@pytest.mark.parametrize("step", [steps.Look, steps.LockLanes, steps.Write])
async def test_a_transaction_whose_connection_ends_is_tried_again(
    store: PostgresStore,
    postgres_database: SharedDatabase,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
    step: type,
) -> None:
    at(monkeypatch, step, Interruption(postgres_database).strike)
    room = Seats(5)

    intake = await accept(store, owed("a"), now=NOW, terms=terms(room=room))

    assert [leased.delivery_id for leased in intake.leased] == ["dlv_a"]
    assert (room.free, intake.accepted[0].fresh) == (4, True)
    assert look.count("attempt") == 1
    look.check()


async def test_all_calls_of_a_group_survive_its_connection(
    store: PostgresStore, postgres_database: SharedDatabase, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, steps.Write, Interruption(postgres_database, times=3).strike)

    await asyncio.gather(
        *[accept(store, owed(name, action_id=name, lane_key=name), now=NOW) for name in "abcdef"]
    )

    assert look.count("event") == 6
    look.check()


async def test_while_the_database_is_away_calls_fail_in_time_and_succeed_when_it_is_back(
    store: PostgresStore, proxy: Proxy, look: Look, patience: Callable[[float], None]
) -> None:
    patience(0.3)
    proxy.cut()
    calls = [
        store.accept([owed("a")], NOW, NO_LEASE),
        store.claim(NOW, terms()),
        store.remember(["1:evt_a"], []),
        store.next_due(NOW),
    ]
    async with asyncio.timeout(5):
        failures = await asyncio.gather(*calls, return_exceptions=True)
    proxy.let_pass()
    patience(20.0)

    assert [type(failure) for failure in failures] == [StoreError] * 4
    assert (await store.accept([owed("a")], NOW, NO_LEASE)).accepted[0].fresh
    look.check()


async def test_a_short_absence_of_the_database_is_sat_out(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    proxy.cut()
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, NO_LEASE))
    remembering = asyncio.create_task(store.remember(["1:evt_a"], []))
    await asyncio.sleep(0)  # both have been asked
    proxy.let_pass()

    assert (await accepting).accepted[0].fresh
    assert await remembering is not None
    look.check()


async def test_a_database_that_does_not_answer_holds_nobody_for_long(
    store: PostgresStore, proxy: Proxy, look: Look, patience: Callable[[float], None]
) -> None:
    patience(0.3)
    proxy.stall()
    async with asyncio.timeout(5):
        for _ in ("while it waits for an answer", "while it connects"):
            with pytest.raises(StoreError, match="does not answer"):
                await store.accept([owed("a")], NOW, NO_LEASE)
    proxy.let_pass()
    patience(20.0)

    assert (await store.accept([owed("b", lane_key="b")], NOW, NO_LEASE)).accepted[0].fresh
    look.check()


async def test_a_store_of_a_database_that_is_not_there_says_so_without_the_password(
    postgres_server: PostgresServer,
) -> None:
    url = f"postgresql://somebody:secret@127.0.0.1:{postgres_server.port}/nowhere?sslmode=disable"

    with pytest.raises(StoreError) as told:
        await PostgresStore.open(url)

    assert "secret" not in str(told.value)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restart_of_the_server_is_sat_out(mode: str) -> None:
    with PostgresServer(fsync=False) as server:
        store = await PostgresStore.open(server.create_database("restarted"), own_clock=False)
        leased = await a_lease(store)

        restarting = asyncio.create_task(asyncio.to_thread(server.restart, mode))
        finished = await store.finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)
        await restarting
        again = await accept(store, owed("b"), now=NOW + 2, terms=terms())

        assert finished.status == "delivered"
        assert len(again.leased) == 1
        assert replace(await store.figures(NOW + 2), oldest_due=None).leases == 1
        await store.close()


async def test_after_an_interruption_free_lanes_are_claimed_and_nobody_is_rescued_for_as_long_as_a_lease(
    store: PostgresStore, postgres_database: SharedDatabase, look: Look
) -> None:
    await a_lease(store, "held", action_id=1, lane_key="held")
    await store.claim(NOW, terms())
    await accept(store, owed("free", action_id=2, lane_key="free"), now=NOW)
    end_connections(postgres_database)
    later = NOW + 2 * LEASE  # as the clock of another server has it

    first = await store.claim(later, terms())
    before = await store.claim(later + LEASE - 1, terms(5))
    after = await store.claim(later + LEASE, terms(5))

    assert ([leased.delivery_id for leased in first.leased], first.rescued) == (["dlv_free"], ())
    assert before.rescued == ()
    assert after.rescued == ("dlv_held", "dlv_free")
    look.check()
