"""Half a minute of `make soak`, on both databases. Row 8 of the fault matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.own_database import OwnDatabase
from tests.faults.soaking import Plan, Soaked, soak
from tests.faults.stage import Hatchery, SqliteFile, Stage
from tests.postgres import PostgresServer

pytestmark = pytest.mark.timeout(180)  # on a machine that is busy with other things

THREE = {"one": "all", "two": "api", "three": "worker"}


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer(fsync=False) as server:
        yield server


def assert_right(soaked: Soaked, events: int) -> None:
    said = "\n".join(map(str, soaked.violations))
    assert soaked.right, f"{soaked}\n{said}"
    assert soaked.ledger.fates == {"acknowledged": events}
    assert soaked.ledger.delivered > events / 2
    assert set(soaked.ledger.statuses) <= {"delivered", "superseded", "failed"}


def test_nothing_is_lost_or_out_of_order_between_three_nodes_that_come_and_go(
    tmp_path: Path, server: PostgresServer, hatchery: Hatchery
) -> None:
    plan = Plan(events=600, lanes=60, troubles=7, seed=7, patience=60, nodes=THREE)

    with OwnDatabase(server) as database, Stage(tmp_path, database, hatchery) as stage:
        soaked = soak(stage, plan, server.restart)

    assert_right(soaked, plan.events)
    assert sum(soaked.troubles.values()) == plan.troubles


def test_nothing_is_lost_or_out_of_order_on_one_node_that_comes_and_goes(
    tmp_path: Path, hatchery: Hatchery
) -> None:
    plan = Plan(events=400, lanes=40, troubles=6, seed=3, patience=60, nodes={"one": "all"})

    with Stage(tmp_path, SqliteFile(tmp_path / "hookengine.db"), hatchery) as stage:
        soaked = soak(stage, plan)

    assert_right(soaked, plan.events)


def test_a_story_is_the_same_for_the_same_seed_and_tells_every_event_once() -> None:
    plan = Plan(events=500, lanes=7, troubles=9, seed=5, nodes=THREE)

    told = [event for part in plan.story() for event in part]

    assert told == [event for part in plan.story() for event in part]
    assert len({event["id"] for event in told}) == 500
    assert len(plan.story()) == 9
    assert set(Counter(event["action"]["type"] for event in told)) == {"latest", "ordered", "none"}
