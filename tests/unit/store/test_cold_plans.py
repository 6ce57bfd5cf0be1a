"""What is done now and then finds its rows by an index too, on both databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, event, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from hookengine.domain.replay import ReplayState
from hookengine.domain.retry import DAY
from hookengine.errors import NotFound
from hookengine.store.care import Horizon
from hookengine.store.cold import actions, pruning, replays, sweeping, upkeep
from hookengine.store.cold.tables import LANE
from hookengine.store.records import Page, Wanted, commits, deliveries, deployments, events, lanes
from hookengine.store.records import actions as actions_read
from hookengine.store.records import replays as replays_read
from hookengine.store.sqlite.connection import connect
from tests.conftest import NOW

Run = Callable[[Callable[[Connection], Any]], Any]
"""Runs something on a database of this kind."""

LIMIT = 100
HORIZON = Horizon(delivered=NOW, failed=NOW - DAY, now=NOW)
SMALL = {"gate", "definitions", "waited", "pipeline", "hook", "hook_revision", "replay"}
"""Tables of few rows: hosts of the last days, one version, names that lanes wait for, what admins define,
replays that people began."""

PLANS = {
    "sqlite": ("EXPLAIN QUERY PLAN ", re.compile(r"SCAN (\w+)")),
    "postgresql": ("EXPLAIN ", re.compile(r"Seq Scan on (\w+)")),
}
COUNTED = {"queued", "retrying", "CONSTANT", "had"}
"""What SQLite calls rows found already."""


def missing(ask: Callable[[], Any]) -> None:
    with suppress(NotFound):
        ask()


DONE = {
    "next due": lambda connection: upkeep.next_due(connection, NOW),
    "figures": lambda connection: upkeep.figures(connection, NOW),
    "expire leases": lambda connection: upkeep.expire_leases(connection, NOW),
    "overdue": lambda connection: actions.overdue(connection, NOW, LIMIT),
    "new action": lambda connection: actions.new_action(connection, 1, NOW),
    "sweep": sweeping.find,
    "mend": lambda connection: sweeping.mend(connection, {1}, NOW, 1),
    **{
        f"deliveries by {name}": lambda connection, name=name, value=value: deliveries.listed(
            connection, Wanted.of({name: [value]}, NOW, since="2h", until="1h"), Page(before="dlv_5")
        )
        for name, value in {
            "status": "failed",
            "hook": "a",
            "pipeline": "1",
            "host": "a.example",
            "lane": "a",
            "sha": "6dcb09b5",
            "code": "5xx",
            "outcome": "timed_out",
            "event": "evt_1",
            "type": "action.started",
            "action": "1",
            "replay_of": "dlv_1",
            "because": "a",
        }.items()
    },
    "deliveries": lambda connection: deliveries.listed(connection, Wanted(), Page()),
    "deliveries that many are like": lambda connection: deliveries.listed(
        connection, Wanted.of({"status": ["delivered"]}, NOW), Page()
    ),
    "delivery": lambda connection: missing(lambda: deliveries.one(connection, "dlv_1")),
    "deliveries to replay": lambda connection: deliveries.following(connection, Wanted(), "", "dlv_9", 9),
    "actions": lambda connection: actions_read.listed(
        connection, actions_read.WantedActions(pipeline="1", status="failed"), Page()
    ),
    "action": lambda connection: missing(lambda: actions_read.one(connection, "1", None)),
    "events": lambda connection: events.listed(connection, events.WantedEvents(since=NOW), Page()),
    "event": lambda connection: missing(lambda: events.told(connection, "evt_1", None)),
    "commit": lambda connection: missing(lambda: commits.one(connection, "6dcb09b5")),
    "lanes": lambda connection: lanes.described(connection, LANE.c.id.in_([1, 2])),
    "deployments": lambda connection: deployments.around(
        connection, deployments.Around(at=NOW, window=60_000)
    ),
    "take a replay": lambda connection: replays.take_due(connection, NOW, NOW),
    "switch a replay": lambda connection: missing(
        lambda: replays.switch(connection, "rpl_1", ReplayState.PAUSED, NOW)
    ),
    "replay": lambda connection: missing(lambda: replays_read.one(connection, "rpl_1", None)),
    **{
        f"look for old {kind}": lambda connection, number=number: pruning.find(
            connection, HORIZON, LIMIT, (number, NOW - DAY)
        )
        for number, kind in enumerate(("lanes", "deliveries", "events", "actions", "gates", "replays"))
    },
}


@pytest.fixture(params=["sqlite", "postgres"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database").url
        yield lambda work: asyncio.run(_in_postgres(url, work))
        return
    connection = connect(Path(request.getfixturevalue("database")))
    yield connection.lend
    connection.close()


async def _in_postgres(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))  # it would read all of an empty table
        result = await connection.run_sync(work)
    await engine.dispose()
    return result


def _read_as_a_whole(connection: Connection, work: Callable[[Connection], Any]) -> list[str]:
    """Statements that read a table from end to end, which is not small."""
    ran: list[tuple[str, Any]] = []

    def remember(connection: Connection, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        ran.append((statement, values))

    event.listen(connection, "before_cursor_execute", remember)
    work(connection)
    event.remove(connection, "before_cursor_execute", remember)
    assert ran
    explain, reading = PLANS[connection.dialect.name]
    found = []
    for statement, values in ran:
        plan = [str(row) for row in connection.exec_driver_sql(explain + statement, values)]
        tables = {match[1] for step in plan if (match := reading.search(step))}
        if tables - SMALL - COUNTED:
            found.append(f"{statement}: {plan}")
    return found


@pytest.mark.parametrize("what", DONE)
def test_nothing_reads_a_large_table_from_end_to_end(run: Run, what: str) -> None:
    assert run(lambda connection: _read_as_a_whole(connection, DONE[what])) == []


def test_the_newest_of_many_that_are_alike_are_found_without_sorting_all_of_them(database: str) -> None:
    """On SQLite. PostgreSQL knows how many there are, and chooses by that."""
    ran: list[tuple[str, Any]] = []

    def look(connection: Connection) -> str:
        event.listen(
            connection,
            "before_cursor_execute",
            lambda connection, cursor, statement, values, *_: ran.append((statement, values)),
        )
        deliveries.listed(connection, Wanted.of({"status": ["delivered"]}, NOW), Page())
        ((statement, values),) = ran
        return str(connection.exec_driver_sql(PLANS["sqlite"][0] + statement, values).all())

    connection = connect(Path(database))
    plan = connection.lend(look)
    connection.close()

    assert "SEARCH delivery USING INDEX" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan
