"""What runs all day finds its rows by an index, whatever PostgreSQL knows of its tables."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from hookengine.domain.gate import TRIP_AFTER
from hookengine.domain.hook import HookState, LanePolicy
from hookengine.domain.retry import DAY
from hookengine.store.calls import Leased, OwedEvent, OwedReplay
from hookengine.store.care import Definitions
from hookengine.store.postgres import PostgresStore, transactions
from hookengine.store.postgres import store as opening
from hookengine.store.postgres.connecting import Patience, connect
from hookengine.store.postgres.reader import _BY_INDEX
from tests.conftest import NOW, make_hook
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    accept,
    delivered,
    owed,
    owed_delivery,
    refused,
    terms,
    timed_out,
    try_again,
)
from tests.definitions import define
from tests.postgres import SharedDatabase

pytestmark = pytest.mark.anyio

SMALL = {"definitions"}  # the table of one row
OURS = re.compile(r"(?!.*(typeinfo|set_config))\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.DOTALL)
SCAN = re.compile(r"\W*(?P<how>[\w ]* Scan)(?: Backward)?(?: using \w+)? on (?P<table>\S+)")
BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}
IN_MEMORY = {"Function Scan", "CTE Scan", "WorkTable Scan", "Subquery Scan", "Bitmap Heap Scan"}

OPEN = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'hookengine'"
READ = """
SELECT (seq_tup_read + idx_tup_fetch)::bigint AS n FROM pg_stat_user_tables
WHERE relid = 'public.hook_revision'::regclass
"""


class Watched:
    """A store, what its connections were asked, and which steps its transactions took."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: dict[str, int] = {}  # and how many parameters each has
        self.taken: set[type] = set()
        self.store: PostgresStore
        monkeypatch.setattr(opening, "connect", self._connect)
        steps = {step: self._remembering(step, answer) for step, answer in transactions.STEPS.items()}
        monkeypatch.setattr(transactions, "STEPS", steps)

    async def _connect(self, url: str, patience: Patience) -> asyncpg.Connection:
        connection = await connect(url, patience)
        connection.add_query_logger(self._remember)
        return connection

    def _remember(self, logged: Any) -> None:
        if OURS.match(logged.query):
            many = isinstance(logged.args, list)
            self.asked[logged.query] = len(logged.args[0] if many else logged.args)

    def _remembering(self, step: type, answer: Any) -> Any:
        async def answering(connection: Any, asked: Any) -> Any:
            self.taken.add(step)
            return await answer(connection, asked)

        return answering

    async def lease(self, name: str, **changes: Any) -> Leased:
        (leased,) = (await accept(self.store, _owed(name, **changes), now=NOW, terms=terms())).leased
        return leased


def _owed(name: str, **changes: Any) -> OwedEvent:
    return owed(name, **{"action_id": name, "lane_key": name, **changes})


@pytest.fixture
async def busy(postgres_database: SharedDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    """Behind a host, a credential and a paused hook wait lanes; another lane has an open doubt, and is leased."""
    watched = Watched(monkeypatch)
    store = watched.store = await PostgresStore.open(postgres_database.url, own_clock=False)
    hooks = (make_hook(id="hook_1"), make_hook(id="hook_2"), make_hook(id="hook_3"))
    await define(store, Definitions(hooks=hooks), "file", NOW)
    await store.switch("hook_2", HookState.PAUSED, "", NOW)
    for number in range(TRIP_AFTER):
        leased = await watched.lease(f"failing_{number}", host="down")
        await store.finish(try_again(leased, NOW, after=DAY), NOW, NO_LEASE)
    await accept(store, _owed("behind a host", host="down"), now=NOW, terms=terms())
    await accept(store, _owed("behind a hook", hook_id="hook_2"), now=NOW, terms=terms())
    for name in ("within its rate", "beyond its rate"):
        await accept(store, _owed(name, rate="1/min", account="rated"), now=NOW, terms=terms())
    for name in "abcde":
        hook = "hook_2" if name in "abcd" else "hook_3"
        event = _owed(name, lane_key="shared", policy=LanePolicy.ORDERED, hook_id=hook)
        await accept(store, event, now=NOW)
    doubted = await watched.lease("doubted", lane_key="one")
    await accept(store, _owed("newer", lane_key="one"), now=NOW)
    await store.finish(timed_out(doubted, NOW, out_of_time=True), NOW, NO_LEASE)
    yield watched
    await store.close()


async def happen(busy: Watched) -> None:
    store = busy.store
    (both,) = _owed("mixed", lane_key="one").deliveries
    unrenderable = owed_delivery("none", hook_id="hook_3", request=None, unrenderable="no")
    event = owed("two", both, unrenderable, action_id="two", secrets={"a": "sealed"})
    (mixed,) = (await accept(store, event, now=NOW, terms=terms())).leased
    await accept(store, owed("again", action_id="two", lane_key="again"), now=NOW)
    await store.release(mixed.token, NOW, NO_LEASE)
    await store.remember(["1:evt_two"], [(1, "two")])
    known = await asyncio.gather(store.sealed(1, "a"), store.sealed(1, "b"), store.kept_secret("", "chat"))
    assert known == ["sealed", None, None]
    told = await busy.lease("told")
    await store.finish(replace(delivered(told, NOW), captured={"id": "17"}), NOW, NO_LEASE)
    lost, held = await busy.lease("lost"), await busy.lease("held")
    assert (await store.claim(NOW + LEASE, terms(100), {held.token})).rescued
    assert (await store.finish(delivered(lost, NOW + LEASE), NOW + LEASE, terms())).late
    assert (await store.finish(refused(held, NOW, gone=True), NOW, terms())).notices
    again = OwedReplay(id="dlv_once_more", replay_of="dlv_held")
    assert (await store.replay(again, NOW + LEASE, NO_LEASE)).fresh
    names = ("a", "b", "newer", "again")
    await asyncio.gather(*[store.cancel(f"dlv_{name}", "a person", NOW, terms()) for name in names])


async def test_what_happens_all_day_reads_no_whole_table_and_no_whole_index(
    busy: Watched, postgres_database: SharedDatabase
) -> None:
    await happen(busy)

    assert busy.taken == set(transactions.STEPS)
    assert len(busy.asked) > 25
    assert await _wrong(postgres_database.url, busy.asked) == []


@pytest.mark.parametrize("rows", ["there were never any", "they were deleted"])
async def test_rows_of_many_hooks_are_read_once_though_there_were_none_when_it_was_planned(
    postgres_database: SharedDatabase, rows: str
) -> None:
    """PostgreSQL keeps the plan of a statement that comes again, and what ANALYZE told of the tables."""
    node = await PostgresStore.open(postgres_database.url, own_clock=False)
    if rows == "they were deleted":
        await define(node, Definitions(hooks=(make_hook(),)), "file", NOW)
        postgres_database.rows("DELETE FROM hook_revision")
        postgres_database.rows("DELETE FROM hook")
    for statement in ("ANALYZE", "SELECT pg_stat_force_next_flush()", "SELECT pg_stat_reset()"):
        postgres_database.rows(statement)
    await node.standing()
    hooks = tuple(make_hook(id=f"hook_{number}") for number in range(500))
    await define(node, Definitions(hooks=hooks), "file", NOW)
    await node.close()

    while postgres_database.rows(OPEN)[0]["n"]:  # what a connection has read is told when it ends
        pass
    (row,) = postgres_database.rows(READ)
    assert len(hooks) <= row["n"] < 3 * len(hooks)


async def _wrong(url: str, asked: dict[str, int]) -> list[str]:
    """Plans are made for any values, as the store's own."""
    connection = await asyncpg.connect(url)
    await connection.execute(_BY_INDEX)
    found = []
    for number, (query, parameters) in enumerate(asked.items()):
        await connection.execute(f"PREPARE q{number} AS {query}")
        values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE q{number}{values}")]
        found += [f"{line} in {query}" for line in _reads_all(plan)]
    await connection.close()
    return found


def _reads_all(plan: list[str]) -> list[str]:
    """Scans of tables, and of indexes from end to end."""
    wrong = []
    for number, line in enumerate(plan):
        scan = SCAN.match(line)
        if scan is None or scan["how"] in IN_MEMORY or scan["table"] in SMALL:
            continue
        bound = scan["how"] in BY_INDEX and "Index Cond" in "".join(plan[number + 1 : number + 2])
        if not bound:
            wrong.append(line)
    return wrong
