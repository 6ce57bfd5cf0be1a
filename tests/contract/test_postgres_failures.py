"""A PostgreSQL that goes away, does not answer, or is in the way: calls are tried again, or told in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.errors import StoreError
from hookengine.store.books import steps
from hookengine.store.calls import Intake, Leased, Remembered
from hookengine.store.contract import Store
from hookengine.store.postgres import PostgresStore, service, transactions, waiting
from hookengine.store.postgres.connecting import Patience
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    Look,
    Seats,
    accept,
    delivered,
    owed,
    terms,
)
from tests.faults.proxy import Proxy
from tests.postgres import PostgresServer, Session, SharedDatabase

pytestmark = pytest.mark.anyio

IMPATIENT = Patience(connect=30.0, statement=2.0, answer=0.4, lock=0.1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how many seconds calls wait for a database that is away: long enough, unless a test says otherwise."""

    def set_patience(seconds: float) -> None:
        monkeypatch.setattr(waiting, "PATIENCE", seconds)

    monkeypatch.setattr(service, "_LONGEST_PAUSE", 0.05)
    set_patience(20.0)
    return set_patience


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", postgres_server.port)) as proxy:
        yield proxy


@pytest.fixture
async def store(
    postgres_database: SharedDatabase, postgres_server: PostgresServer, proxy: Proxy
) -> AsyncIterator[PostgresStore]:
    """Behind the proxy."""
    url = postgres_database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
    store = await PostgresStore.open(url, patience=IMPATIENT, own_clock=False)
    yield store
    proxy.let_pass()
    await store.close()


@pytest.fixture
def look(postgres_database: SharedDatabase) -> Look:
    return Look(postgres_database)


@pytest.fixture
def somebody(postgres_database: SharedDatabase) -> Iterator[Session]:
    """A session of somebody else."""
    with Session(postgres_database.url) as session:
        yield session


class Interruption:
    """Ends all connections of the store when the given step is answered, so many times."""

    def __init__(self, database: SharedDatabase, times: int = 1) -> None:
        self._database = database
        self.times = times

    def strike(self) -> None:
        if self.times:
            self.times -= 1
            end_connections(self._database)


def end_connections(database: SharedDatabase) -> None:
    database.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'hookengine'"
    )


def at(monkeypatch: pytest.MonkeyPatch, step: type, do: Callable[[], None]) -> None:
    """What happens before each step of this kind."""
    answer = transactions.STEPS[step]

    async def answered(connection: Any, asked: Any) -> Any:
        do()
        return await answer(connection, asked)

    monkeypatch.setattr(transactions, "STEPS", {**transactions.STEPS, step: answered})


def raising(error: Exception, times: int) -> Callable[[], None]:
    errors = [error] * times

    def do() -> None:
        if errors:
            raise errors.pop()

    return do


async def _leased(store: Store, name: str = "a", **changes: Any) -> Leased:
    (leased,) = (await accept(store, owed(name, **changes), now=NOW, terms=terms())).leased
    return leased


# Connections that end


async def test_a_connection_that_ended_between_two_calls_is_replaced_unnoticed(
    store: PostgresStore, postgres_database: SharedDatabase, look: Look
) -> None:
    end_connections(postgres_database)

    leased = await _leased(store)
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


# Commits whose answer is lost


async def test_leases_of_an_accept_whose_commit_was_not_answered_are_handed_over(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    room = Seats(5)
    proxy.cut_after(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, terms(room=room))

    (leased,), (attempt,) = intake.leased, look.attempts("dlv_a")
    assert proxy.struck.is_set()
    assert (leased.token, intake.accepted[0].fresh, room.free) == (attempt["token"], True, 4)
    look.check()


async def test_an_accept_whose_commit_was_not_answered_is_told_what_it_was_told_before(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    proxy.cut_after(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, NO_LEASE)

    assert [accepted.answer for accepted in intake.accepted] == ['{"event":"a"}']
    assert (look.count("event"), look.count("delivery")) == (1, 1)


async def test_a_result_whose_commit_was_not_answered_is_recorded_once_and_the_next_one_taken(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    leased = await _leased(store, "a", policy=LanePolicy.ORDERED)
    await accept(store, owed("b", policy=LanePolicy.ORDERED), now=NOW)
    proxy.cut_after(b"COMMIT")

    finished = await store.finish(delivered(leased, NOW + 1), NOW + 1, terms())

    assert (finished.status, finished.late) == ("delivered", False)
    assert finished.following is not None
    assert finished.following.token == look.attempts("dlv_b")[0]["token"]
    assert look.attempts("dlv_a")[0]["late_outcome"] is None
    look.check()


async def test_claimed_leases_whose_commit_was_not_answered_are_handed_over(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    await accept(store, owed("a"), now=NOW)
    proxy.cut_after(b"COMMIT")

    (leased,) = (await store.claim(NOW + 1, terms())).leased

    assert leased.token == look.attempts("dlv_a")[0]["token"]
    look.check()


async def test_a_claim_whose_commit_did_not_get_through_is_not_repeated(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    await accept(store, owed("a"), now=NOW)
    room = Seats(5)
    proxy.cut_before(b"COMMIT")

    with pytest.raises(StoreError, match="lost while committing"):
        await store.claim(NOW + 1, terms(room=room))

    assert (look.count("attempt"), room.free) == (0, 5)
    look.check()
    assert len((await store.claim(NOW + 1, terms())).leased) == 1


async def test_an_accept_whose_commit_did_not_get_through_is_repeated(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    room = Seats(5)
    proxy.cut_before(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, terms(room=room))

    assert (intake.accepted[0].fresh, room.free, look.count("attempt")) == (True, 4, 1)
    look.check()


async def test_a_commit_that_stays_unsure_gives_its_room_back_and_is_told(
    store: PostgresStore, proxy: Proxy, patience: Callable[[float], None]
) -> None:
    room = Seats(5)
    patience(0.3)
    proxy.cut_after(b"COMMIT")
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, terms(room=room)))
    await asyncio.to_thread(proxy.struck.wait, 5)
    proxy.cut()

    with pytest.raises(StoreError):
        await accepting

    assert room.free == 5


async def test_room_of_a_call_that_was_told_before_its_commit_was_found_is_given_back(
    store: PostgresStore, proxy: Proxy, patience: Callable[[float], None]
) -> None:
    """Somebody else's patience keeps the store looking for it."""
    room = Seats(5)
    patience(0.3)
    proxy.cut_after(b"COMMIT")
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, terms(room=room)))
    await asyncio.to_thread(proxy.struck.wait, 5)
    proxy.cut()
    patience(20.0)
    waiting_longer = asyncio.ensure_future(store.accept([owed("b", action_id=8)], NOW, NO_LEASE))
    with pytest.raises(StoreError):
        await accepting

    proxy.let_pass()
    await waiting_longer

    assert room.free == 5


# Others that are in the way


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


# After an interruption


async def test_after_an_interruption_free_lanes_are_claimed_and_nobody_is_rescued_for_as_long_as_a_lease(
    store: PostgresStore, postgres_database: SharedDatabase, look: Look
) -> None:
    await _leased(store, "held", action_id=1, lane_key="held")
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
        leased = await _leased(store)

        restarting = asyncio.create_task(asyncio.to_thread(server.restart, mode))
        finished = await store.finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)
        await restarting
        again = await accept(store, owed("b"), now=NOW + 2, terms=terms())

        assert finished.status == "delivered"
        assert len(again.leased) == 1
        assert replace(await store.figures(NOW + 2), oldest_due=None).leases == 1
        await store.close()
