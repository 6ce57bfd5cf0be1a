"""Deliveries out: a leased delivery is sent, its outcome recorded, and the lane's next one taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from hookengine.domain.attempt import Outcome
from hookengine.domain.clock import Clock, Millis
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.hook import Hook
from hookengine.engine import signals
from hookengine.engine.recording import Recorder
from hookengine.engine.sending import Sender
from hookengine.engine.signals import Signals
from hookengine.errors import StoreError
from hookengine.store.contract import Claimed, Leased, LeaseTerms, Store

RECONNECT = 1.0  # seconds until claiming is tried again after the database failed
MARGIN = 3.0  # seconds before its lease ends in which nothing is written to a socket any more


class Alarm(Protocol):
    """Wakes the worker at a time; of several times set, the earliest counts."""

    def at(self, instant: Millis) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`in_flight` requests at a time; a lease outlives the longest deadline by `lease_margin`."""

    in_flight: int = 512
    lease_margin: Millis = 20_000
    settle: Millis = 60_000
    longest_deadline: Millis = 30_000

    @property
    def lease(self) -> Millis:
        return self.longest_deadline + self.lease_margin


class Worker:
    def __init__(
        self,
        store: Store,
        sender: Sender,
        recorder: Recorder,
        signals: Signals,
        clock: Clock,
        capacity: Capacity,
    ) -> None:
        self._store = store
        self._sender = sender
        self._recorder = recorder
        self._signals = signals
        self._clock = clock
        self._capacity = capacity
        self._under_way: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._starved = False  # more may be due than this node could take
        self._working = False  # leases are only taken between `run` and `stop`

    async def run(self, alarm: Alarm) -> None:
        """Claim what is due whenever woken, until `stop`."""
        self._working = True
        while self._working:
            self._woken.clear()
            self._starved = False
            try:
                await self._claim_due()
                due = await self._store.next_due()
            except StoreError as error:
                self._signals.announce(signals.STORE_FAILED, doing="claiming", error=str(error))
                due = self._clock.now() + round(RECONNECT * 1000)
            except Exception as error:  # noqa: BLE001  a mistake of ours must not stop deliveries for good
                self._signals.announce(signals.WORKER_FAILED, doing="claiming", error=repr(error))
                due = self._clock.now() + round(RECONNECT * 1000)
            if due is not None and not self._starved:
                alarm.at(due)
            await self._woken.wait()

    async def deliver(self, leased: Leased, t0: float) -> None:
        """Send it, record what came of it, and go on with the lane as long as its next delivery is due.

        `t0` is what the clock showed before the lease was asked for.
        """
        following: Leased | None = leased
        while following is not None:
            hook = await self._recorder.hook_of(following)
            deadline = self._time_left(following, hook, t0)
            if deadline <= 0:
                await self._store.release(following.token, self._clock.now(), self.terms())
                return
            outcome = await self._send(following, deadline)
            t0 = self._clock.ticks()
            finished = await self._recorder.record(following, hook, outcome, self._terms_to_go_on)
            following = finished.following
            if finished.status != DeliveryStatus.DELIVERED or finished.repair_id is not None:
                self.wake()

    def take(self, leased: Iterable[Leased], t0: float) -> None:
        """Start delivering what this node was given leases for."""
        for delivery in leased:
            task = asyncio.create_task(self.deliver(delivery, t0), name=f"deliver {delivery.delivery_id}")
            self._under_way.add(task)
            task.add_done_callback(self._put_down)

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    def terms(self) -> LeaseTerms:
        """How many more deliveries this node can take now."""
        return LeaseTerms(
            capacity=self._free if self._working else 0,
            lease=self._capacity.lease,
            settle=self._capacity.settle,
        )

    async def stop(self, grace: float) -> None:
        """Claim nothing more and let what is under way finish, for at most `grace` seconds.

        What is cut off then keeps its lease; whoever rescues it will know that its effect is in doubt.
        """
        self._working = False
        self._woken.set()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def _free(self) -> int:
        return max(self._capacity.in_flight - len(self._under_way), 0)

    async def _claim_due(self) -> None:
        while (terms := self.terms()).capacity:
            t0 = self._clock.ticks()
            claimed = await self._store.claim(self._clock.now(), terms)
            self.take(claimed.leased, t0)
            self._tell(claimed)
            if len(claimed.leased) < terms.capacity and not claimed.endings:
                return
        self._starved = True

    async def _send(self, leased: Leased, deadline: float) -> Outcome:
        self._signals.announce(
            signals.ATTEMPT_STARTED,
            delivery=leased.delivery_id,
            hook=leased.hook_id,
            attempt=leased.attempt,
            lane=leased.lane_key,
        )
        headers = (
            ("webhook-id", leased.delivery_id),
            ("hookengine-position", ".".join(map(str, leased.position))),
        )
        return await self._sender.send(leased.request, headers, deadline)

    def _time_left(self, leased: Leased, hook: Hook, t0: float) -> float:
        """Seconds: the hook's deadline, but never past the lease; 0 when stopping, for it was not begun."""
        if not self._working:
            return 0
        lease_left = t0 + self._capacity.lease / 1000 - MARGIN - self._clock.ticks()
        return min(hook.timeout, lease_left)

    def _terms_to_go_on(self) -> LeaseTerms:
        """A delivery that follows in the same lane takes the place of the one that ended."""
        return LeaseTerms(
            capacity=1 if self._working else 0, lease=self._capacity.lease, settle=self._capacity.settle
        )

    def _put_down(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._starved:
            self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._signals.announce(signals.WORKER_FAILED, doing="delivering", error=repr(error))

    def _tell(self, claimed: Claimed) -> None:
        for delivery_id in claimed.rescued:
            self._signals.announce(signals.ATTEMPT_RESCUED, delivery=delivery_id)
        for ending in claimed.endings:
            self._signals.announce(
                signals.DELIVERY_ENDED,
                delivery=ending.delivery_id,
                status=ending.status,
                because=ending.because,
            )
