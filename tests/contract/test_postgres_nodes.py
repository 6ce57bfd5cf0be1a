"""Two nodes on one PostgreSQL: what the locks are for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.errors import EventConflict, StaleContext
from hookengine.store.books import steps
from hookengine.store.calls import Leased
from hookengine.store.contract import Store
from hookengine.store.postgres import PostgresStore, committer, failures, transactions
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Look,
    accept,
    delivered,
    owed,
    refused,
    terms,
    try_again,
)
from tests.postgres import SharedDatabase

pytestmark = pytest.mark.anyio

ROUNDS = 60


@pytest.fixture
async def nodes(postgres_database: SharedDatabase) -> AsyncIterator[tuple[Store, Store]]:
    stores = [await PostgresStore.open(postgres_database.url, own_clock=False) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


@pytest.fixture
def look(postgres_database: SharedDatabase) -> Look:
    return Look(postgres_database)


class Meeting:
    """Holds the first transaction that has locked its lanes until the second has too, or waits for them."""

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database
        self._expected = self._here = 0
        self.blocked = self.met = 0  # how often the second had to wait, and how often it had not

    def begin(self) -> None:
        """Two transactions are about to come."""
        self._expected, self._here = 2, 0

    async def attend(self) -> None:
        self._here += 1
        while self._here < self._expected:
            if self._database.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                self.blocked += 1
                self._expected = 0
                return
            await asyncio.sleep(0)  # the other one comes
        self.met += self._expected == 2
        self._expected = 0


@pytest.fixture
def meeting(postgres_database: SharedDatabase, monkeypatch: pytest.MonkeyPatch) -> Meeting:
    meeting = Meeting(postgres_database)
    after(monkeypatch, steps.LockLanes, meeting.attend)
    return meeting


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What transactions failed with, tried again or not."""
    seen: list[BaseException] = []

    def fate_of(error: BaseException) -> failures.Fate:
        seen.append(error)
        return failures.fate_of(error)

    monkeypatch.setattr(committer, "fate_of", fate_of)
    return seen


class Together:
    """The first two that come wait for each other."""

    def __init__(self) -> None:
        self._come = 0
        self._both = asyncio.Event()

    async def wait(self) -> None:
        self._come += 1
        if self._come == 2:
            self._both.set()
        async with asyncio.timeout(60):
            await self._both.wait()


def after(monkeypatch: pytest.MonkeyPatch, step: type, wait: Callable[[], Awaitable[None]]) -> None:
    """What is done after each step of this kind, in the transactions of all nodes."""
    answer = transactions.STEPS[step]

    async def slowly(connection: Any, asked: Any) -> Any:
        answered = await answer(connection, asked)
        await wait()
        return answered

    monkeypatch.setattr(transactions, "STEPS", {**transactions.STEPS, step: slowly})


class Traffic:
    """One lane that two nodes work on at the same moment, round by round."""

    def __init__(self, nodes: tuple[Store, Store], meeting: Meeting, policy: LanePolicy) -> None:
        self._nodes = nodes
        self._meeting = meeting
        self._policy = policy
        self._chance = random.Random(7)  # noqa: S311  no secret
        self._now = NOW
        self._count = 0
        self.held: list[Leased] = []
        self.sent: list[tuple[int, int, int]] = []

    async def round(self) -> None:
        """A result of what is under way, and an arrival; either may be first."""
        here, there = self._chance.sample(self._nodes, 2)
        self._now += SECOND
        calls = [self._arrive(there)]
        if self.held:
            calls.append(self._report(here, self.held.pop()))
            self._meeting.begin()
        self._chance.shuffle(calls)
        await asyncio.gather(*calls)
        await self.claim()

    async def rest(self) -> None:
        for _ in range(3 * ROUNDS):
            if not self.held and not await self.claim():
                return
            await self._report(self._nodes[0], self.held.pop(), good=True)
        raise AssertionError("the lane never comes to rest")

    async def claim(self) -> bool:
        self._now += 20 * SECOND
        if not self.held:
            claimed = await self._chance.choice(self._nodes).claim(self._now, terms(1))
            self.take(*claimed.leased)
        return bool(self.held)

    def take(self, *leased: Leased | None) -> None:
        for each in leased:
            if each is not None:
                self.held.append(each)
                self.sent.append(each.position)
        assert len(self.held) < 2, "two in flight"

    async def _arrive(self, node: Store) -> None:
        self._count += 1
        event = owed(f"{self._count:05}", action_id=self._count, number=self._count, policy=self._policy)
        self.take(*(await accept(node, event, now=self._now, terms=terms(self._chance.randint(0, 1)))).leased)

    async def _report(self, node: Store, leased: Leased, *, good: bool = False) -> None:
        how = delivered if good else self._chance.choice([delivered, refused, try_again])
        self.take((await node.finish(how(leased, self._now), self._now, terms(1))).following)


@pytest.mark.parametrize("policy", [LanePolicy.LATEST, LanePolicy.ORDERED])
async def test_a_result_and_an_arrival_at_the_same_moment_leave_no_lane_stuck_and_in_order(
    nodes: tuple[Store, Store], meeting: Meeting, look: Look, policy: LanePolicy
) -> None:
    traffic = Traffic(nodes, meeting, policy)

    for _ in range(ROUNDS):
        await traffic.round()
        look.check()
    await traffic.rest()

    look.check()
    assert meeting.met == 0
    assert meeting.blocked > ROUNDS / 2
    assert traffic.sent == sorted(traffic.sent), "an older one left after a newer one"
    assert look.lane()["head_id"] is None
    assert await nodes[0].sweep(NOW, 60 * SECOND) == 0


async def test_lanes_another_node_has_locked_are_passed_over(
    nodes: tuple[Store, Store], look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdef":
        await accept(nodes[0], owed(name, action_id=name, lane_key=name), now=NOW)
    after(monkeypatch, steps.LockDue, Together().wait)

    one, other = await asyncio.gather(*[node.claim(NOW + SECOND, terms(6)) for node in nodes])

    claimed = [leased.delivery_id for leased in (*one.leased, *other.leased)]
    assert sorted(claimed) == sorted(look.statuses())
    look.check()


async def test_claims_of_two_nodes_share_what_is_due(nodes: tuple[Store, Store], look: Look) -> None:
    names = [f"{number:03}" for number in range(200)]
    events = [owed(name, action_id=name, lane_key=name) for name in names]
    await accept(nodes[0], *events, now=NOW)
    claimed: list[str] = []

    async def claim(node: Store) -> None:
        while leased := (await node.claim(NOW + SECOND, terms(7))).leased:
            claimed.extend(each.delivery_id for each in leased)

    await asyncio.gather(*[claim(node) for node in (*nodes, *nodes)])

    assert sorted(claimed) == [f"dlv_{name}" for name in names]
    look.check()


async def test_the_same_event_sent_a_hundred_times_to_two_nodes_is_known_once(
    nodes: tuple[Store, Store], look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, steps.LockActions, Together().wait)
    event = owed("a")

    async def send(node: Store) -> tuple[str, bool]:
        while True:
            try:
                (accepted,) = (await accept(node, event, now=NOW, terms=terms(1))).accepted
            except StaleContext:
                continue
            return accepted.answer, accepted.fresh

    told = await asyncio.gather(*[send(nodes[number % 2]) for number in range(100)])

    assert {answer for answer, _ in told} == {'{"event":"a"}'}
    assert sum(fresh for _, fresh in told) == 1
    assert [look.count(table) for table in ("event", "delivery", "lane", "attempt")] == [1, 1, 1, 1]
    look.check()


@pytest.mark.parametrize("action_id", [1, 2])
async def test_of_two_bodies_with_one_id_sent_to_two_nodes_one_is_refused(
    nodes: tuple[Store, Store], look: Look, monkeypatch: pytest.MonkeyPatch, action_id: int
) -> None:
    after(monkeypatch, steps.LockActions, Together().wait)
    events = [owed("a", action_id=1), owed("a", action_id=action_id, digest="another", lane_key="another")]

    told = await asyncio.gather(
        *[accept(node, event, now=NOW) for node, event in zip(nodes, events, strict=True)],
        return_exceptions=True,
    )

    assert [type(each) for each in told].count(EventConflict) == 1
    assert [look.count(table) for table in ("event", "delivery", "action", "lane")] == [1, 1, 1, 1]


async def test_nodes_that_hear_of_the_same_actions_in_another_order_do_not_wait_for_each_other(
    nodes: tuple[Store, Store],
    look: Look,
    errors: list[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def send(node: Store, names: list[str]) -> None:
        await accept(node, *[owed(name, action_id=name, lane_key=name) for name in names], now=NOW)

    for batch in "abcd":
        names = [f"{batch}{number:03}" for number in range(100)]
        after(monkeypatch, steps.LockActions, Together().wait)
        told = await asyncio.gather(
            send(nodes[0], names), send(nodes[1], names[::-1]), return_exceptions=True
        )
        assert {type(each) for each in told} <= {type(None), StaleContext}

    assert look.count("event") == 400
    assert not [error for error in errors if isinstance(error, asyncpg.DeadlockDetectedError)]
    look.check()


async def test_a_lane_made_by_two_nodes_at_once_is_one_lane(
    nodes: tuple[Store, Store], meeting: Meeting, look: Look
) -> None:
    for number in range(20):
        await asyncio.gather(
            *[
                accept(
                    node, owed(f"{name}{number}", action_id=f"{name}{number}", lane_key=f"{number}"), now=NOW
                )
                for node, name in zip(nodes, "ab", strict=True)
            ]
        )

    assert look.count("lane") == 20
    assert meeting.met == 0
    look.check()


async def test_a_lease_of_a_node_that_went_away_goes_to_another_and_its_late_result_is_kept(
    nodes: tuple[Store, Store], look: Look
) -> None:
    (held,) = (await accept(nodes[0], owed("a"), now=NOW, terms=terms())).leased

    claimed = await nodes[1].claim(NOW + LEASE, terms(node="b"))
    late = await nodes[0].finish(delivered(held, NOW + LEASE + 1), NOW + LEASE + 1, NO_LEASE)

    assert claimed.rescued == ("dlv_a",)
    assert late.late
    lost, current = look.attempts("dlv_a")
    assert (lost["node"], lost["closed_by"], lost["late_outcome"]) == ("a", "rescue", "Answered")
    assert (current["node"], current["closed_by"]) == ("b", None)
    look.check()
