"""What it costs to go on beside a hundred thousand deliveries that wait. Row 41 of the fault matrix."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hookengine.store.contract import Store
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW
from tests.contract.backlog import fill
from tests.contract.conftest import Database, accept, delivered, owed, terms

pytestmark = pytest.mark.anyio

FEW, MANY = 1_000, 100_000
SEATS = 16
FIRST, SECOND, THIRD = range(10), range(10, 20), range(20, 30)
STEP = 100  # steps of SQLite's machine that are counted as one

LEFT = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'hookengine'"
TOUCHED = """
SELECT sum(seq_tup_read)::bigint AS scanned, sum(idx_tup_fetch)::bigint AS found
FROM pg_stat_user_tables WHERE relname IN ('action', 'attempt', 'delivery', 'event', 'gate', 'lane', 'request')
"""


async def rounds(store: Store, numbers: Sequence[int]) -> None:
    """What a busy node does again and again."""
    for number in numbers:
        now = NOW + number
        claimed = await store.claim(now, terms(SEATS))
        assert len(claimed.leased) == SEATS
        for leased in claimed.leased:
            await store.finish(delivered(leased, now), now, terms(0))
        name = f"new_{number}"
        await accept(store, owed(name, lane_key=name, action_id=name), now=now)
        assert await store.next_due(now) is not None


def wait(database: Database, name: str, count: int) -> None:
    """Half of them due, the others set aside for room of their hook."""
    fill(database, f"due_{name}", count // 2, due=NOW - count)
    fill(database, f"aside_{name}", count // 2, due=NOW - count, behind=f"hook:aside_{name}")


async def steps(store: SqliteStore, numbers: Sequence[int]) -> int:
    """Of SQLite's machine, in rounds of these numbers."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    await store._writer.run(lambda connection: connection.set_progress_handler(count, STEP))
    await store._reader.ask(lambda connection: connection.set_progress_handler(count, STEP))
    await rounds(store, numbers)
    return counted


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_sqlite_takes_no_more_steps_for_a_hundred_times_as_many(
    store: SqliteStore, database: Database
) -> None:
    wait(database, "few", FEW)
    few = await steps(store, FIRST)
    wait(database, "many", MANY)
    many = await steps(store, SECOND)

    assert 0 < many < 1.2 * few


def touched(database: Database) -> tuple[int, int]:
    """Rows read by scans and by indexes, since this was asked last. Of stores, those that were closed meanwhile."""
    while database.rows(LEFT)[0]["n"]:  # until their connections have ended
        pass
    database.rows("SELECT pg_stat_force_next_flush()")
    (row,) = database.rows(TOUCHED)
    database.rows("SELECT pg_stat_reset()")
    return row["scanned"], row["found"]


@pytest.mark.parametrize("kind", ["postgres"])
async def test_postgres_touches_no_more_rows_for_a_hundred_times_as_many(database: Database) -> None:
    """Also at a node that was there when few waited."""
    wait(database, "few", FEW)
    touched(database)
    first = await database.open()
    await rounds(first, FIRST)
    await first.close()
    few = touched(database)

    second = await database.open()
    await rounds(second, SECOND)
    wait(database, "many", MANY)
    database.rows("ANALYZE")
    database.rows("SELECT pg_stat_force_next_flush()")
    database.rows("SELECT pg_stat_reset()")
    await rounds(second, THIRD)
    await second.close()
    many = touched(database)

    assert few[0] == 0
    assert many[0] <= FEW
    assert 0 < many[1] < 2.4 * few[1], "what few took may come late"
