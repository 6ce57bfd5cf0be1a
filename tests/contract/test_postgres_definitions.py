"""Nodes that change definitions, or delete what is old, at the same moment on one PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hookengine.domain.hook import HookState
from hookengine.store.care import Definitions, Horizon
from hookengine.store.contract import Store
from hookengine.store.postgres import PostgresStore
from tests.conftest import NOW, make_hook, make_pipeline
from tests.contract.conftest import NO_LEASE, SECOND, SETTLE, Look, accept, delivered, owed, refused, terms
from tests.definitions import define
from tests.postgres import Session, SharedDatabase

pytestmark = pytest.mark.anyio

DAY = 86_400 * SECOND
FILE = Definitions(
    pipelines=(make_pipeline(id=1, name="a"), make_pipeline(id=2, name="b")),
    hooks=(make_hook(id="hook_1"), make_hook(id="hook_2")),
)


@pytest.fixture
async def nodes(postgres_database: SharedDatabase) -> AsyncIterator[tuple[Store, Store]]:
    stores = [await PostgresStore.open(postgres_database.url, own_clock=False) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


@pytest.fixture
def look(postgres_database: SharedDatabase) -> Look:
    return Look(postgres_database)


@contextmanager
def _held(database: SharedDatabase, lock: str) -> Iterator[None]:
    """Somebody else has locked this."""
    session = Session(database.url)
    try:
        session.execute(f"BEGIN; {lock}")
        yield
        session.execute("COMMIT")
    finally:
        session.close()


async def _at_once(database: SharedDatabase, lock: str, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """What the calls come to, each of which waits for this lock before it is given up."""
    with _held(database, lock):
        tasks = [asyncio.create_task(call) for call in calls]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while database.rows(waiting) != [{"count": len(calls)}]:  # noqa: ASYNC110  nobody is told of it
            await asyncio.sleep(0)
    return await asyncio.gather(*tasks)


DEFINED = "SELECT * FROM definitions FOR UPDATE"


async def test_nodes_that_start_with_the_same_file_define_it_once(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase, look: Look
) -> None:
    version, _ = await nodes[0].definitions()

    one, other = await _at_once(
        postgres_database, DEFINED, *(define(node, FILE, "file", NOW) for node in nodes)
    )

    assert one == other
    assert await nodes[1].definitions(version) == (version + 1, one)
    assert (look.count("hook"), look.count("hook_revision"), look.count("pipeline")) == (2, 2, 2)


async def test_nodes_that_swap_names_against_each_other_both_succeed(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase
) -> None:
    await define(nodes[0], FILE, "file", NOW)
    swapped = Definitions(pipelines=(make_pipeline(id=1, name="b"), make_pipeline(id=2, name="a")))

    await _at_once(
        postgres_database,
        DEFINED,
        define(nodes[0], swapped, "file", NOW + 1),
        define(nodes[1], FILE, "file", NOW + 1),
    )

    _, defined = await nodes[0].definitions()
    assert defined is not None
    assert [pipeline.name for pipeline in defined.pipelines] in (["a", "b"], ["b", "a"])
    assert [hook.id for hook in defined.hooks] in (["hook_1", "hook_2"], [])


async def test_a_hook_sent_away_while_its_file_is_applied_stays_away(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase
) -> None:
    await define(nodes[0], FILE, "file", NOW)
    (leased,) = (await accept(nodes[0], owed("a"), now=NOW + 1, terms=terms())).leased
    changed = Definitions(
        pipelines=FILE.pipelines, hooks=(FILE.hooks[0], make_hook(id="hook_2", method="PUT"))
    )

    await _at_once(
        postgres_database,
        DEFINED,
        nodes[0].finish(refused(leased, NOW + 2, gone=True), NOW + 2, NO_LEASE),
        define(nodes[1], changed, "file", NOW + 2),
    )

    _, defined = await nodes[0].definitions()
    assert defined is not None
    assert [(hook.state, hook.revision) for hook in defined.hooks] == [
        (HookState.DISABLED, 1),
        (HookState.ACTIVE, 2),
    ]


async def test_a_hook_that_begins_to_fail_while_it_is_taken_over_is_failing_since_then(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase
) -> None:
    await define(nodes[0], FILE, "file", NOW)
    began = f"UPDATE hook SET failing_since = {NOW + 1} WHERE id = 'hook_1'"

    await _at_once(
        postgres_database, began, define(nodes[1], Definitions(hooks=FILE.hooks[:1]), "api", NOW + 2)
    )

    (hook,) = postgres_database.rows("SELECT managed_by, failing_since FROM hook WHERE id = 'hook_1'")
    assert hook == {"managed_by": "file:api", "failing_since": NOW + 1}


async def test_a_lane_that_is_being_used_is_passed_over_by_a_prune(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase, look: Look
) -> None:
    for name in ("used", "idle"):
        event = owed(name, lane_key=name, action_id=name)
        (leased,) = (await accept(nodes[0], event, now=NOW, terms=terms())).leased
        await nodes[0].finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)
    horizon = Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + DAY)
    lock = "SELECT * FROM lane WHERE key = 'used' FOR UPDATE"

    with _held(postgres_database, lock):
        pruned = await nodes[1].prune(horizon, 100)

    assert (pruned.rows, look.statuses()) == (1, {"dlv_used": "delivered"})


async def test_prunes_of_two_nodes_share_what_is_old(nodes: tuple[Store, Store], look: Look) -> None:
    for number in range(20):
        event = owed(f"{number}", lane_key=f"{number}", action_id=f"{number}")
        (leased,) = (await accept(nodes[0], event, now=NOW, terms=terms())).leased
        await nodes[0].finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)
    horizon = Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + DAY)

    pruned = await asyncio.gather(*(node.prune(horizon, 100) for node in nodes))

    assert sum(part.rows for part in pruned) == 20
    assert [look.count(table) for table in ("lane", "delivery", "event", "action")] == [0] * 4


async def test_what_two_nodes_find_lost_is_mended_once(
    nodes: tuple[Store, Store], postgres_database: SharedDatabase, look: Look
) -> None:
    await accept(nodes[0], owed("a"), now=NOW, terms=terms())
    postgres_database.rows("UPDATE lane SET token = NULL")
    lock = "SELECT * FROM lane FOR UPDATE"

    mended = await _at_once(postgres_database, lock, *(node.sweep(NOW + 1, SETTLE) for node in nodes))

    assert sorted(mended) == [0, 1]
    look.check()
