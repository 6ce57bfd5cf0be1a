"""A host that was away comes back; a host that fails for many. Rows 42 and 43 of the fault matrix."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from hookengine.domain.attempt import Answered, Unreachable
from hookengine.domain.gate import FIRST_SECOND, TRIP_AFTER
from hookengine.domain.hook import LanePolicy
from hookengine.domain.retry import RetryPolicy
from hookengine.engine.room import InFlight
from hookengine.store.calls import OwedEvent
from hookengine.store.contract import Store
from tests.conftest import NOW, Clock, make_hook
from tests.contract.conftest import SECOND, Database, Look, accept, owed
from tests.contract.virtual import DONE, running

pytestmark = pytest.mark.anyio

MINUTE = 60 * SECOND
AWAY = Unreachable(reason="connection refused")
COMMITS, LANES, DEEP = 150, 30, 4
MANY = 1000


def _status(number: int, kind: str) -> OwedEvent:
    return owed(
        f"{kind}_{number}",
        lane_key=f"commit {number}",
        action_id=f"{number}",
        number=number,
        type=f"action.{kind}",
        state=f"{kind} {number}",
    )


def _step(number: int, step: int) -> OwedEvent:
    name = f"step_{number}_{step}"
    return owed(name, lane_key=f"lane {number}", action_id=name, policy=LanePolicy.ORDERED)


async def test_a_host_that_comes_back_is_tried_once_and_then_at_a_rate_that_doubles(
    store: Store, clock: Clock, look: Look
) -> None:
    """Row 42: nothing that is outdated is sent, and lanes keep their order."""
    back = NOW + 2 * MINUTE
    hook = make_hook(retry=RetryPolicy(waits=(5 * SECOND,), jitter=0.2))
    async with running(store, clock, [hook]) as node:
        node.far_end.answer = lambda sent: DONE if sent.at >= back else AWAY
        await accept(store, *[_status(number, "started") for number in range(COMMITS)], now=NOW)
        steps = [_step(number, step) for number in range(LANES) for step in range(DEEP)]
        await accept(store, *steps, now=NOW)
        await node.until(NOW + MINUTE)
        await accept(store, *[_status(number, "completed") for number in range(COMMITS)], now=clock.now())
        await node.until(back + 5 * MINUTE)

    in_vain = [sent for sent in node.far_end.sent if sent.at < back]
    sent = node.far_end.sent[len(in_vain) :]
    tried = Counter(one.at for one in in_vain)
    # A seat is free before its failure is recorded, so it may be taken again until enough have been.
    assert TRIP_AFTER <= tried.pop(NOW) <= 3 * InFlight().host < COMMITS
    assert len(tried) < 6
    assert set(tried.values()) == {1}, "one after each break"
    seconds = Counter((one.at - sent[0].at) // SECOND for one in sent)
    rates = [seconds[second] for second in range(max(seconds) + 1)]
    assert rates[0] <= 1 + FIRST_SECOND
    assert all(later <= 2 * max(before, FIRST_SECOND) for before, later in pairwise(rates)), rates
    expected = {f"dlv_completed_{number}" for number in range(COMMITS)} | {
        f"dlv_step_{number}_{step}" for number in range(LANES) for step in range(DEEP)
    }
    assert sorted(one.delivery for one in sent) == sorted(expected)
    for number in range(LANES):
        lane = [one.delivery for one in sent if one.delivery.startswith(f"dlv_step_{number}_")]
        assert lane == sorted(lane)
    statuses = Counter(look.statuses().values())
    assert statuses == {"delivered": len(expected), "superseded": COMMITS}
    look.check()


async def test_what_fails_together_is_tried_again_over_the_whole_jitter(
    store: Store, database: Database, clock: Clock
) -> None:
    """Row 43: a thousand hooks of one host, and never more than its share of requests at a time."""
    random.seed(43)
    retry = RetryPolicy(waits=(MINUTE,), jitter=0.2)
    hooks = [make_hook(id=f"hook_{number}", retry=retry) for number in range(MANY)]
    async with running(store, clock, hooks) as node:
        node.far_end.answer = lambda sent: Answered(status=500)
        events = [
            owed(f"n{number}", hook_id=hook.id, lane_key=hook.id, action_id=hook.id, account=hook.id)
            for number, hook in enumerate(hooks)
        ]
        await accept(store, *events, now=NOW)
        await node.rest()

    tried = database.rows("SELECT next_at - started_at AS wait FROM attempt WHERE verdict = 'TryAgain'")
    seconds = Counter((row["wait"] - MINUTE) // SECOND for row in tried)
    mean = MANY / 12
    assert sum(seconds.values()) == MANY
    assert sorted(seconds) == list(range(12))
    assert mean / 2 < min(seconds.values()) <= max(seconds.values()) < 1.5 * mean
    assert 1 < node.far_end.most_at_once <= InFlight().host
