"""Nodes whose clocks are wrong by an hour: the database's clock counts, and nobody notices."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Certainty, GiveUp
from hookengine.domain.clock import Millis
from hookengine.domain.hook import HookState
from hookengine.store.calls import Leased, Report
from hookengine.store.care import Definitions, Horizon
from hookengine.store.postgres import PostgresStore
from tests.conftest import make_hook
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    Look,
    Seats,
    accept,
    delivered,
    owed,
    terms,
    timed_out,
    try_again,
)
from tests.definitions import define
from tests.postgres import SharedDatabase

pytestmark = pytest.mark.anyio

HOUR = 3600 * SECOND
NEARLY = 30 * SECOND  # what a slow machine may take for a test
LEASE = 600 * SECOND


class Node:
    """`wrong`: by how much its clock is ahead of the database's."""

    def __init__(self, store: PostgresStore, wrong: Millis) -> None:
        self.store = store
        self.wrong = wrong

    def now(self) -> Millis:
        return true_now() + self.wrong

    async def lease(self, name: str = "a", **changes: Any) -> Leased:
        event = owed(name, **changes)
        intake = await accept(self.store, event, now=self.now(), terms=terms(lease=LEASE))
        (leased,) = intake.leased
        return leased

    async def claim(self, **changes: Any) -> list[str]:
        claimed = await self.store.claim(self.now(), terms(**{"lease": LEASE, **changes}))
        return [leased.delivery_id for leased in claimed.leased]


def true_now() -> Millis:
    return time.time_ns() // 1_000_000


def nearly(instant: Millis) -> Any:
    return pytest.approx(instant, abs=NEARLY)


@pytest.fixture(params=[-HOUR, HOUR], ids=["behind", "ahead"])
async def wrong(request: pytest.FixtureRequest, postgres_database: SharedDatabase) -> AsyncIterator[Node]:
    store = await PostgresStore.open(postgres_database.url)
    yield Node(store, request.param)
    await store.close()


@pytest.fixture
async def right(postgres_database: SharedDatabase) -> AsyncIterator[Node]:
    store = await PostgresStore.open(postgres_database.url)
    yield Node(store, 0)
    await store.close()


@pytest.fixture
def look(postgres_database: SharedDatabase) -> Look:
    return Look(postgres_database)


async def test_what_is_written_bears_the_databases_time_and_what_comes_back_the_nodes(
    wrong: Node, look: Look
) -> None:
    leased = await wrong.lease()
    await wrong.store.finish(delivered(leased, wrong.now()), wrong.now(), NO_LEASE)

    (attempt,) = look.attempts("dlv_a")
    assert [leased.accepted_at, leased.started_at] == [nearly(wrong.now())] * 2
    assert [attempt["started_at"], attempt["finished_at"]] == [nearly(true_now())] * 2
    assert attempt["started_at"] <= attempt["finished_at"]
    assert look.delivery("dlv_a")["ended_at"] == nearly(true_now())


async def test_no_lease_is_taken_away_early(wrong: Node, right: Node, look: Look) -> None:
    await wrong.lease("a", lane_key="a")
    await right.lease("b", action_id=2, lane_key="b")

    assert (await wrong.claim(), await right.claim()) == ([], [])
    look.check()


async def test_a_lease_that_has_expired_is_taken_by_whoever_asks(wrong: Node, right: Node) -> None:
    await wrong.lease("a", lane_key="a")
    await accept(right.store, owed("b", action_id=2, lane_key="b"), now=right.now(), terms=terms(lease=0))

    assert await wrong.claim() == ["dlv_b"]
    assert await right.claim() == []


async def test_a_retry_is_due_when_its_time_has_come_for_the_database(
    wrong: Node, right: Node, look: Look
) -> None:
    leased = await wrong.lease("a", lane_key="a")
    await wrong.store.finish(try_again(leased, wrong.now(), after=600 * SECOND), wrong.now(), NO_LEASE)

    assert look.lane("a")["due_at"] == nearly(true_now() + 600 * SECOND)
    assert (await wrong.claim(), await right.claim()) == ([], [])
    assert await wrong.store.next_due(wrong.now()) == nearly(wrong.now() + 600 * SECOND)
    assert await right.store.next_due(right.now()) == nearly(right.now() + 600 * SECOND)


async def test_what_is_given_back_is_due_again_in_the_databases_time(wrong: Node, look: Look) -> None:
    later = await wrong.lease("a", lane_key="a")
    at_once = await wrong.lease("b", action_id=2, lane_key="b")

    await wrong.store.release(later.token, wrong.now(), NO_LEASE, wrong.now() + 600 * SECOND)
    await wrong.store.release(at_once.token, wrong.now(), NO_LEASE)

    assert look.lane("a")["due_at"] == nearly(true_now() + 600 * SECOND)
    assert await wrong.claim() == ["dlv_b"]


@pytest.mark.parametrize("gives_up", [False, True])
async def test_a_pause_lasts_as_long_as_the_target_asked(wrong: Node, look: Look, gives_up: bool) -> None:
    leased = await wrong.lease()
    report = try_again(leased, wrong.now(), pause=600 * SECOND)
    if gives_up:
        verdict = GiveUp(because="no", pause_until=wrong.now() + 600 * SECOND)
        report = replace(report, verdict=verdict)

    await wrong.store.finish(report, wrong.now(), NO_LEASE)

    assert look.lane()["not_before"] == nearly(true_now() + 600 * SECOND)


async def test_a_doubt_settles_in_the_databases_time(wrong: Node, look: Look) -> None:
    leased = await wrong.lease()

    await wrong.store.finish(timed_out(leased, wrong.now(), out_of_time=True), wrong.now(), NO_LEASE)

    assert look.lane()["doubt_until"] == nearly(true_now() + 60 * SECOND)


async def test_a_hook_that_is_switched_off_stops_what_was_accepted_before_and_nothing_after(
    wrong: Node, right: Node, look: Look
) -> None:
    hooks = Definitions(hooks=(make_hook(id="hook_1"),))
    await define(right.store, hooks, "file", right.now())
    await accept(right.store, owed("before", lane_key="1"), now=right.now())

    await wrong.store.switch("hook_1", HookState.DISABLED, "a person said so", wrong.now())
    await wrong.store.switch("hook_1", HookState.ACTIVE, "", wrong.now())
    await accept(right.store, owed("after", action_id=2, lane_key="2"), now=right.now())

    assert await right.claim() == ["dlv_after"]
    assert look.statuses() == {"dlv_after": "sending", "dlv_before": "cancelled"}


async def test_a_gone_target_switches_off_what_was_accepted_before_and_nothing_after(
    wrong: Node, right: Node, look: Look
) -> None:
    await define(right.store, Definitions(hooks=(make_hook(id="hook_1"),)), "file", right.now())
    leased = await wrong.lease("gone", lane_key="1")
    report = Report(
        token=leased.token,
        outcome=Answered(status=410),
        certainty=Certainty.REFUSED,
        verdict=GiveUp(because="410", gone=True),
        finished_at=wrong.now(),
    )

    await wrong.store.finish(report, wrong.now(), NO_LEASE)
    await wrong.store.switch("hook_1", HookState.ACTIVE, "", wrong.now())

    await wrong.lease("after", action_id=2, lane_key="2")
    assert look.statuses() == {"dlv_after": "sending", "dlv_gone": "failed"}


async def test_what_has_been_due_for_long_is_told_in_the_nodes_time(wrong: Node, right: Node) -> None:
    await accept(right.store, owed("a", lane_key="a"), now=right.now())

    figures = await wrong.store.figures(wrong.now())

    assert figures.oldest_due == nearly(wrong.now())


async def test_what_is_overdue_for_a_node_is_so_for_the_database(wrong: Node, right: Node) -> None:
    await accept(right.store, owed("a", lane_key="a"), now=right.now())
    await wrong.claim(room=Seats(0))  # it has heard what time it is

    early = await wrong.store.overdue(wrong.now() - NEARLY, 10)
    late = await wrong.store.overdue(wrong.now() + NEARLY, 10)

    assert (len(early), len(late)) == (0, 1)


async def test_what_ended_lately_is_not_pruned(wrong: Node, right: Node, look: Look) -> None:
    leased = await right.lease()
    await right.store.finish(delivered(leased, right.now()), right.now(), NO_LEASE)

    def horizon(at: Millis) -> Horizon:
        return Horizon(delivered=at, failed=at, now=wrong.now())

    kept = await wrong.store.prune(horizon(wrong.now() - NEARLY), 100)
    pruned = await wrong.store.prune(horizon(wrong.now() + NEARLY), 100)

    assert (kept.rows, pruned.rows) == (0, 1)
    assert look.count("lane") == 0


async def test_a_lease_that_a_node_holds_is_its_own_however_its_clock_goes(wrong: Node) -> None:
    leased = await wrong.lease("a", lane_key="a")
    event = owed("short", action_id=2, lane_key="b")
    (short,) = (await accept(wrong.store, event, now=wrong.now(), terms=terms(lease=0))).leased

    claimed = await wrong.store.claim(wrong.now(), terms(lease=LEASE), frozenset({leased.token, short.token}))

    assert claimed.rescued == ()
