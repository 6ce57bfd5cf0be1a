"""What one hook or tenant has waiting keeps nobody else from being delivered. Rows 39 and 40 of the fault matrix."""

from __future__ import annotations

import asyncio

import pytest

from hookengine.domain.attempt import Outcome
from hookengine.domain.hook import LanePolicy
from hookengine.engine.room import InFlight
from hookengine.store.books.claiming import MOST
from hookengine.store.contract import Store
from tests.conftest import NOW, Clock, make_hook
from tests.contract.backlog import fill
from tests.contract.conftest import Database, accept, owed
from tests.contract.virtual import DONE, PATIENCE, Node, Sent, running

pytestmark = pytest.mark.anyio

SLOW, NOISY = 10_000, 20_000
FEW = 5
"""Claims more than it takes to look at each lane of a backlog once."""


async def owe(node: Node, *hooks: str, again: bool = False) -> list[str]:
    """To each of these hooks, as another node accepts it: left due. The names of what is owed."""
    names = [f"{hook} again" if again else hook for hook in hooks]
    events = [
        owed(
            name,
            hook_id=hook,
            host=f"{hook}.example",
            account=hook,
            lane_key=name,
            policy=LanePolicy.NONE,
            action_id=name,
        )
        for name, hook in zip(names, hooks, strict=True)
    ]
    await accept(node.store, *events, now=node.clock.now())
    return names


class Watch:
    """Tells how many claims it took, from now on, until each of these deliveries was sent."""

    def __init__(self, node: Node, *names: str) -> None:
        self.claims: dict[str, int] = {}
        self._wanted = {f"dlv_{name}" for name in names}
        self._node, self._before, self._answer = node, node.claims, node.far_end.answer
        self._all = asyncio.Event()
        node.far_end.answer = self._look

    async def wait(self) -> int:
        """The most that one of them took."""
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()
        return max(self.claims.values())

    def _look(self, sent: Sent) -> Outcome | None:
        if sent.delivery in self._wanted:
            self.claims[sent.delivery] = self._node.claims - self._before
        if self.claims.keys() == self._wanted:
            self._all.set()
        return self._answer(sent)


async def test_a_hook_whose_target_hangs_takes_its_own_share_only(
    store: Store, database: Database, clock: Clock
) -> None:
    """Row 39: ten thousand that are due longer are looked at once; from then on they cost nothing."""
    healthy = [f"hook_{number}" for number in range(100)]
    fill(database, "slow", SLOW, due=NOW - SLOW, host="slow.example")
    async with running(store, clock, [make_hook(id=name) for name in ("slow", *healthy)]) as node:
        node.far_end.answer = lambda sent: None if "slow" in sent.delivery else DONE
        await owe(node, *healthy)

        first = Watch(node, *healthy)
        node.worker.wake()
        took = await first.wait()
        await node.rest()
        clock.advance(seconds=1)
        again = Watch(node, *await owe(node, *healthy, again=True))
        node.worker.wake()
        took_then = await again.wait()

        assert took <= SLOW / MOST + FEW
        assert took_then <= FEW
        assert sum("slow" in sent.delivery for sent in node.far_end.sent) == InFlight().hook


async def test_a_noisy_tenant_keeps_a_quiet_one_waiting_for_a_few_claims(
    store: Store, database: Database, clock: Clock
) -> None:
    """Row 40: the quiet one comes last, and is sent long before the noisy one's are."""
    fill(database, "noisy", NOISY, due=NOW - NOISY, host="noisy.example")
    async with running(store, clock, [make_hook(id=name) for name in ("noisy", "quiet")]) as node:
        await owe(node, "quiet")

        watch = Watch(node, "quiet")
        node.worker.wake()
        took = await watch.wait()
        sent = len(node.far_end.sent)

    assert took <= NOISY / MOST + FEW
    assert sent < NOISY / 5
