"""Random histories through the real store: what is always true stays true, and the target ends right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookengine.domain.event import Lifecycle, id_in
from hookengine.domain.hook import LanePolicy
from hookengine.store.calls import Leased, Report
from hookengine.store.contract import Store
from tests.conftest import NOW, Receiver
from tests.contract.conftest import (
    LEASE,
    SECOND,
    SETTLE,
    Database,
    Look,
    accept,
    delivered,
    owed,
    refused,
    terms,
    timed_out,
    try_again,
)

pytestmark = pytest.mark.anyio

LAST_WRITE = 20 * SECOND  # after the lease began
TYPES = (Lifecycle.QUEUED, Lifecycle.STARTED, Lifecycle.COMPLETED)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(-1, 1), st.integers(0, 2), st.sampled_from("ab")),
        st.tuples(
            st.just("send"),
            st.sampled_from(["taken", "taken", "refused", "paused", "lost", "applied late", "dies"]),
        ),
        st.tuples(st.sampled_from(["claim", "release", "wake", "wait"])),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    min_size=6,
    max_size=18,
)


class History:
    """One lane through a store, with a receiver that may apply what it did not answer, within the settle."""

    def __init__(self, store: Store, look: Look, policy: LanePolicy) -> None:
        self.store, self.look, self.policy = store, look, policy
        self.receiver = Receiver()
        self.now = NOW
        self.number = 1
        self.names = count(1)
        self.states: dict[str, str] = {}  # by event
        self.held: list[Leased] = []
        self.stopped: list[Leased] = []  # their node was stopped before it wrote a byte
        self.ended: dict[str, str] = {}
        self.sent: list[tuple[str, int]] = []

    async def step(self, name: str, *arguments: object) -> None:
        self.tick()
        await getattr(self, name)(*arguments)
        self.check()

    async def arrive(self, step: int, rank: int, state: str) -> None:
        self.number = max(self.number + step, 0)
        name = f"{next(self.names):03}"
        self.states[f"evt_{name}"] = state
        event = owed(
            name,
            type=TYPES[rank],
            action_id=self.number,
            number=self.number,
            policy=self.policy,
            state=state,
        )
        intake = await accept(self.store, event, now=self.now, terms=terms(1))
        self.held += intake.leased

    async def claim(self) -> None:
        due = await self.store.next_due(NOW)
        self.tick(max(0 if due is None else due - self.now, 0))
        claimed = await self.store.claim(self.now, terms(1))
        if claimed.rescued:
            self.stopped += self.held
            self.held = []
        self.held += claimed.leased

    async def send(self, how: str) -> None:
        if not self.may_send():
            return
        leased = self.held.pop()
        self.sent.append((leased.delivery_id, leased.attempt))
        state = self.states[leased.event_id]
        match how:
            case "taken":
                self.receiver.apply(state)
                await self.report(delivered(leased, self.now))
            case "refused":
                await self.report(refused(leased, self.now))
            case "paused":
                await self.report(try_again(leased, self.now, pause=20 * SECOND))
            case "lost":
                await self.report(timed_out(leased, self.now))
            case "applied late":
                self.receiver.apply_later(state, self.now + SETTLE - SECOND)
                await self.report(timed_out(leased, self.now, out_of_time=True))
            case _:
                self.receiver.apply_later(state, self.now + LEASE)

    async def wake(self) -> None:
        """A stopped node writes what it was about to write, long after its lease, and reports."""
        if self.stopped:
            leased = self.stopped.pop()
            self.receiver.apply(self.states[leased.event_id])
            self.tick()
            await self.report(delivered(leased, self.now))

    async def release(self) -> None:
        if self.held:
            await self.store.release(self.held.pop().token, self.now, terms(0))

    async def cancel(self, index: int) -> None:
        known = sorted(self.look.statuses())
        if known:
            await self.store.cancel(known[index % len(known)], "a person said so", self.now, terms(0))

    async def wait(self) -> None:
        self.tick(30 * SECOND)

    async def report(self, report: Report) -> None:
        finished = await self.store.finish(report, self.now, terms(1))
        if finished.following is not None:
            self.held.append(finished.following)

    async def rest(self) -> None:
        for _ in range(60):
            if await self.store.next_due(NOW) is None:
                break
            await (self.step("send", "taken") if self.may_send() else self.step("claim"))
        self.tick(2 * SETTLE)
        assert await self.store.next_due(NOW) is None, "the lane never comes to rest"

    def may_send(self) -> bool:
        return bool(self.held) and self.now + 1 < self.held[0].started_at + LAST_WRITE

    def tick(self, millis: int = 1) -> None:
        self.now += max(millis, 1)
        self.receiver.tick(self.now)

    def check(self) -> None:
        self.look.check()
        statuses = self.look.statuses()
        assert {name: statuses[name] for name in self.ended} == self.ended, "an end is an end"
        self.ended = {
            name: status
            for name, status in statuses.items()
            if status in {"delivered", "failed", "superseded", "cancelled"}
        }
        for delivery_id, attempt in self.sent:
            assert self.look.delivery(delivery_id)["attempts"] >= attempt, "sent, but not recorded"

    def check_at_rest(self) -> None:
        """The newest counts, unless it or its repair could not be delivered."""
        if self.policy is not LanePolicy.LATEST or not self.look.lane_exists():
            return
        same = self.look.same_position(self.look.lane()["newest_seq"])
        if not any(row["status"] in {"failed", "cancelled"} for row in same):
            assert self.receiver.shown == self.states[id_in(same[0]["event_id"])]


@pytest.mark.parametrize("policy", [LanePolicy.LATEST, LanePolicy.ORDERED])
@given(steps=STEPS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_a_lane_stays_in_order_and_ends_right(
    new_database: Callable[[Path], Database],
    tmp_path_factory: pytest.TempPathFactory,
    policy: LanePolicy,
    steps: list[tuple[str, ...]],
) -> None:
    database = new_database(tmp_path_factory.mktemp("history"))
    store = await database.open()
    history = History(store, Look(database), policy)
    try:
        for name, *arguments in steps:
            await history.step(name, *arguments)
        await history.rest()

        history.check_at_rest()
        assert await store.sweep(history.now, SETTLE) == 0
    finally:
        await store.close()
        database.close()
