"""A database that can take no more, as it says it itself: nothing is half done, and it goes on when there is room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hookengine.domain.attempt import Answered
from hookengine.errors import StoreError
from hookengine.store.contract import Store
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW
from tests.contract.conftest import Database, Look, accept, delivered, owed, terms

pytestmark = pytest.mark.anyio

LONG = "x" * 20_000
MANY = 200
"""So many fit into no room that is left in a page."""

FULL = """
CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$
"""


@asynccontextmanager
async def full(store: Store, database: Database) -> AsyncIterator[None]:
    """No page more in a SQLite file, no row more in PostgreSQL."""
    if isinstance(store, SqliteStore):
        await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
        yield
        await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
        return
    database.rows(FULL)
    for table in ("event", "attempt"):
        database.rows(
            f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION disk_full()"
        )
    yield
    database.rows("DROP FUNCTION disk_full CASCADE")


async def test_what_does_not_fit_is_not_accepted_and_takes_up_no_room(
    store: Store, database: Database, look: Look
) -> None:
    node = terms(MANY)
    events = [replace(owed(f"n{number}", lane_key=f"{number}"), document=LONG) for number in range(MANY)]
    async with full(store, database):
        with pytest.raises(StoreError):
            await accept(store, *events, now=NOW, terms=node)

    assert (look.count("event"), look.count("delivery"), node.room.free) == (0, 0, MANY)
    assert len((await accept(store, *events, now=NOW, terms=node)).leased) == MANY
    look.check()


async def test_nothing_is_leased_that_cannot_be_recorded(
    store: Store, database: Database, look: Look
) -> None:
    names = [f"n{number}" for number in range(MANY)]
    await accept(store, *[owed(name, lane_key=name, action_id=name) for name in names], now=NOW)
    node = terms(MANY)

    async with full(store, database):
        with pytest.raises(StoreError):
            await store.claim(NOW, node)
    left = look.count("attempt")
    claimed = await store.claim(NOW, node)

    assert (left, len(claimed.leased)) == (0, MANY)
    look.check()


async def test_a_result_that_did_not_fit_is_taken_when_it_comes_again(
    store: Store, database: Database, look: Look
) -> None:
    (leased,) = (await accept(store, owed("a"), now=NOW, terms=terms())).leased
    report = replace(delivered(leased, NOW), outcome=Answered(status=200, body=LONG))

    async with full(store, database):
        with pytest.raises(StoreError):
            await store.finish(report, NOW, terms())
    before = look.statuses()
    finished = await store.finish(report, NOW, terms())

    assert (before, finished.status, finished.late) == ({"dlv_a": "sending"}, "delivered", False)
    assert [row["certainty"] for row in look.attempts("dlv_a")] == ["applied"]
    look.check()
