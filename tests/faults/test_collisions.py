"""Transactions that PostgreSQL refuses because of others. Row 16 of the fault matrix."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.history import Fate
from tests.faults.own_database import OwnDatabase
from tests.faults.stage import Hatchery, Stage, happened
from tests.faults.stage.script import in_order, statuses
from tests.postgres import PostgresServer

REFUSE = """
CREATE SEQUENCE refused;  -- counts what is rolled back too
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('refused') <= {times} THEN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refusing BEFORE {change} FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def own(postgres_server: PostgresServer, postgres_template: str) -> Iterator[OwnDatabase]:
    name = f"own_{uuid4().hex}"
    with OwnDatabase(postgres_server, name, postgres_template) as database:
        yield database
    postgres_server.drop_database(name)


@pytest.fixture
def stage(tmp_path: Path, own: OwnDatabase, hatchery: Hatchery) -> Iterator[Stage]:
    with Stage(tmp_path, own, hatchery) as stage:
        stage.hook(in_order)
        yield stage


def refuse(own: OwnDatabase, change: str, *, times: int, state: str = "40001") -> None:
    """Transactions that do this, so many times, with this SQLSTATE."""
    own.run(REFUSE.format(change=change, times=times, state=state))


def refused(own: OwnDatabase) -> int:
    return int(own.rows("SELECT last_value FROM refused")[0]["last_value"])


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize(
    "change",
    ["INSERT ON event", "INSERT ON attempt", "UPDATE ON attempt", "UPDATE ON lane"],
    ids=["accept", "lease", "finish", "lane"],
)
def test_a_transaction_that_collides_is_tried_again_unnoticed(
    stage: Stage, own: OwnDatabase, change: str, state: str
) -> None:
    refuse(own, change, times=3, state=state)
    node = stage.start()

    stage.accepted(happened("started", 1), happened("completed", 1))
    stage.quiet()

    assert refused(own) > 3
    assert node.heard("store.failed") == []
    assert [one.status for one in stage.target.received] == [200, 200]
    assert stage.judge().duplicates == ()


def test_an_event_that_collides_for_ever_is_not_taken_and_not_tried_for_ever(
    stage: Stage, own: OwnDatabase
) -> None:
    refuse(own, "INSERT ON event", times=1_000_000)
    stage.start()

    assert stage.emit(happened("started", 1))[0].fate is Fate.UNKNOWN
    assert refused(own) < 20
    own.run("DROP TRIGGER refusing ON event")
    stage.accepted(happened("started", 1))
    stage.quiet()

    assert stage.judge().statuses == {"delivered": 1}


def test_a_result_that_collides_for_longer_is_recorded_in_the_end(stage: Stage, own: OwnDatabase) -> None:
    """The answer is there, only the record of it is refused: nothing is sent again."""
    refuse(own, "UPDATE ON attempt", times=8)
    stage.start()

    stage.accepted(happened("started", 1))
    stage.quiet()

    assert refused(own) > 8
    assert [one.status for one in stage.target.received] == [200]
    assert stage.judge().duplicates == ()


def test_whoever_locks_lanes_the_other_way_round_only_delays_an_event(stage: Stage, own: OwnDatabase) -> None:
    """A real deadlock, of which the engine's transaction is the victim."""
    stage.hook(statuses)
    stage.start()
    stage.accepted(happened("started", 1))
    stage.quiet()
    first, second = [row["id"] for row in own.rows("SELECT id FROM lane ORDER BY id")]
    before = deadlocks(own)

    with own.superuser() as somebody, ThreadPoolExecutor(1) as pool:
        somebody.execute("SET deadlock_timeout = '1min'")  # it leaves finding it to the engine's session
        somebody.execute(f"BEGIN; SELECT FROM lane WHERE id = {second} FOR UPDATE")
        emitting = pool.submit(stage.emit, happened("completed", 1))
        stage.wait_until(lambda: bool(own.rows("SELECT 1 FROM pg_locks WHERE NOT granted")), "it to wait")
        somebody.execute(f"SELECT FROM lane WHERE id = {first} FOR UPDATE; COMMIT")
        assert emitting.result()[0].fate is Fate.ACKNOWLEDGED
    stage.quiet()

    stage.wait_until(lambda: deadlocks(own) == before + 1, "it to be counted")
    assert stage.judge().statuses == {"delivered": 4}


def test_what_waits_for_a_lane_comes_after_what_it_waited_for(stage: Stage, own: OwnDatabase) -> None:
    """A transaction goes by the time at which it got its lanes, not by that at which it began."""
    stage.start()
    stage.accepted(happened("started", 1))
    stage.quiet()

    with own.superuser() as somebody, ThreadPoolExecutor(1) as pool:
        somebody.execute("BEGIN; SELECT FROM lane FOR UPDATE")
        emitting = pool.submit(stage.emit, happened("completed", 1))
        stage.wait_until(lambda: bool(own.rows("SELECT 1 FROM pg_locks WHERE NOT granted")), "it to wait")
        (clock,) = somebody.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now")
        somebody.execute("COMMIT")
        assert emitting.result()[0].fate is Fate.ACKNOWLEDGED
    stage.quiet()

    query = "SELECT accepted_at, started_at FROM delivery JOIN attempt ON delivery_id = id ORDER BY seq"
    last = own.rows(query)[-1]
    assert clock["now"] <= last["accepted_at"] <= last["started_at"]


def deadlocks(own: OwnDatabase) -> int:
    own.rows("SELECT pg_stat_clear_snapshot()")
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    return int(own.rows(query)[0]["deadlocks"])
