"""Deliveries out: a leased delivery is sent, its outcome recorded, and the lane's next one taken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from hookengine.domain.attempt import Blocked, Outcome
from hookengine.domain.capture import CaptureMissing
from hookengine.domain.clock import Clock, Millis
from hookengine.domain.gate import SUSPECTS, hook_key, host_key
from hookengine.domain.hook import Hook
from hookengine.domain.retry import DAY
from hookengine.engine import signals
from hookengine.engine.offer import Offer
from hookengine.engine.recording import Recorder
from hookengine.engine.room import InFlight, NodeRoom
from hookengine.engine.sending import NotBegun, Sender
from hookengine.engine.signals import Signals
from hookengine.errors import HookEngineError, StoreError
from hookengine.store.calls import Claimed, Leased, LeaseTerms, Seat
from hookengine.store.contract import Store

RECONNECT = 1.0  # seconds, at most, until claiming is tried again after the database failed
LAST_WORDS = 8.0  # seconds that recording may take of what was cut off by a stop
PAUSE: Millis = 1000  # until a delivery that was given back may be leased again
MARGIN = 3.0  # seconds before its lease ends in which nothing is written to a socket any more


class Alarm(Protocol):
    """Wakes the worker at a time; of several times set, the earliest counts."""

    def at(self, instant: Millis) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`in_flight` requests at a time; a lease outlives the `longest_deadline` of any hook by `lease_margin`.

    A hook that does nothing but fail is paused after `patience`. `poll` is how long work of other nodes may
    go unseen; None if there are none.
    """

    in_flight: InFlight = field(default_factory=InFlight)
    lease_margin: Millis = 20_000
    settle: Millis = 60_000
    longest_deadline: Callable[[], Millis] = lambda: 30_000
    patience: Millis = 5 * DAY
    poll: Millis | None = None
    node: str = "node"

    @property
    def lease(self) -> Millis:
        return self.longest_deadline() + self.lease_margin


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
        self.room = NodeRoom(capacity.in_flight)
        self._known_terms = LeaseTerms(
            room=self.room,
            lease=capacity.lease,
            settle=capacity.settle,
            patience=capacity.patience,
            node=capacity.node,
        )
        self._under_way: dict[asyncio.Task[None], int] = {}  # and the token each holds
        self._sending: set[asyncio.Task[None]] = set()  # those a stop may cut off
        self._woken = asyncio.Event()
        self._eased = asyncio.Event()  # something under way has ended
        self._starved = False  # more may be due than this node could take
        self._waiting_for: frozenset[str] = frozenset()  # what lanes have been set aside for
        self._working = False  # leases are only taken between `run` and `stop`
        self._stopped = False
        self.last_round = clock.ticks()  # when the loop last went round

    async def run(self, alarm: Alarm) -> None:
        """Claim what is due whenever woken, until `stop`."""
        self._working = not self._stopped
        if self._working:
            self.room.open()
        while self._working:
            self._woken.clear()
            self.last_round = self._clock.ticks()
            now = self._clock.now()
            due: Millis | None = now + round(RECONNECT * random.uniform(500, 1000))  # noqa: S311  nodes part
            try:
                await self._claim_due()
                due = None if self._starved else await self._store.next_due(now)
            except StoreError as error:
                self._signals.announce(signals.STORE_FAILED, doing="claiming", error=str(error))
            except Exception as error:  # noqa: BLE001  a mistake of ours must not stop deliveries for good
                self._announce_mistake("claiming", error)
            if self._capacity.poll is not None:
                due = min(due or now + self._capacity.poll, now + self._capacity.poll)
            if due is not None:
                alarm.at(due)
            await self._woken.wait()

    async def deliver(self, leased: Leased, ends: float) -> None:
        """Send it, record what came of it, and go on with the lane as long as its next delivery is due.

        `ends` is what the clock's ticks will be when its lease ends.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine runs in a task
        following: Leased | None = leased
        while following is not None:
            if task in self._under_way:
                self._under_way[task] = following.token
            kept_from = ""
            self._sending.add(task)
            try:
                hook = await self._recorder.hook_of(following)
                began = self._clock.ticks()
                outcome = await self._sent(following, hook, began, ends - MARGIN)
            except CaptureMissing as error:
                outcome = Blocked(reason=str(error))
            except (NotBegun, StoreError, asyncio.CancelledError) as error:
                kept_from = str(error) or "the engine was stopped"
            finally:
                self._sending.discard(task)
                self._get_up(following.seat)
            if kept_from:
                await self._give_back(following, kept_from)
                return
            now, terms = self._clock.ticks(), self._terms()
            finished = await self._recorder.record(following, hook, outcome, terms, now - began)
            ends = now + terms.lease / 1000
            following = finished.following
            if finished.waits or finished.notices:
                self.wake()

    def offer(self) -> Offer:
        """What this node can take on now."""
        terms = self._terms()
        ends = self._clock.ticks() + terms.lease / 1000
        return Offer(terms, lambda leased: self._take(leased, ends))

    def wake(self) -> None:
        """Something may be due, or there may be room again."""
        self._woken.set()
        self._eased.set()

    async def stop(self, grace: float) -> None:
        """Claim nothing more and let what is under way finish, for at most `grace` seconds.

        What has not begun then is given back; what has is recorded as unknown, and will be tried again.
        """
        self._stopped, self._working = True, False
        self.room.close()
        self._woken.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._ended()
        for task in self._sending:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._ended()
        late = list(self._under_way)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _ended(self) -> None:
        """What was taken on is under way a moment later."""
        while self._under_way or self.room.taken:
            self._eased.clear()
            await self._eased.wait()

    async def _claim_due(self) -> None:
        self._starved = True
        while self._working and self.room.free:
            offer = self.offer()
            held = frozenset(self._under_way.values())
            claimed = await self._store.claim(self._clock.now(), offer.terms, held)
            offer.take(claimed.leased)
            self._waiting_for = claimed.waiting_for
            self._tell(claimed)
            if not claimed.more and not claimed.endings:
                self._starved = False
                return

    def _take(self, leased: Iterable[Leased], ends: float) -> None:
        for delivery in leased:
            task = asyncio.create_task(self.deliver(delivery, ends))
            self._under_way[task] = delivery.token
            task.add_done_callback(self._put_down)

    def _sent(self, leased: Leased, hook: Hook, began: float, stop: float) -> Awaitable[Outcome]:
        """Raises NotBegun when there is no time left, or the engine stops; CaptureMissing; and once awaited,
        CancelledError if it was cut off before a byte had left."""
        deadline = min(hook.timeout, stop - began)
        if deadline <= 0 or not self._working:
            raise NotBegun("there is no time left before its lease ends" if self._working else "")
        self._signals.announce(
            signals.ATTEMPT_STARTED,
            delivery=leased.delivery_id,
            hook=leased.hook_id,
            attempt=leased.attempt,
            lane=leased.lane_key,
            waited=(self._clock.now() - leased.accepted_at) / 1000,
        )
        headers = (
            ("webhook-id", leased.delivery_id),
            ("hookengine-position", ".".join(map(str, leased.position))),
        )
        subject = f"{leased.delivery_id} {leased.event_id}"
        asks = leased.asks
        request = leased.request.with_captured(leased.captured) if asks is None else asks.request
        return self._sender.send(request, headers, deadline, stop, subject, hook)

    async def _give_back(self, leased: Leased, because: str) -> None:
        """Not at once if this node goes on: what kept it from sending is there for a while."""
        await self._recorder.give_back(leased, self._terms(), after=PAUSE if self._working else 0)
        self._signals.announce(
            signals.DELIVERY_GIVEN_BACK, delivery=leased.delivery_id, hook=leased.hook_id, because=because
        )
        self.wake()

    def _terms(self) -> LeaseTerms:
        lease = self._capacity.lease
        if lease != self._known_terms.lease:  # another hook has the longest deadline now
            self._known_terms = replace(self._known_terms, lease=lease)
        return self._known_terms

    def _get_up(self, seat: Seat) -> None:
        """Its request is over: somebody else may sit here."""
        self.room.give(seat)
        if self._starved or (self._waiting_for and not self._waiting_for.isdisjoint(_freed_by(seat))):
            self._woken.set()

    def _put_down(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._eased.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._announce_mistake("delivering", error)
            self._woken.set()

    def _announce_mistake(self, doing: str, error: BaseException) -> None:
        """Only our own errors' texts are known to hold no secret."""
        said = str(error) if isinstance(error, HookEngineError) else type(error).__name__
        self._signals.announce(signals.WORKER_FAILED, doing=doing, error=said)

    def _tell(self, claimed: Claimed) -> None:
        for delivery_id in claimed.rescued:
            self._signals.announce(signals.ATTEMPT_RESCUED, delivery=delivery_id)
        for lane_id in claimed.stuck:
            self._signals.announce(
                signals.WORKER_FAILED, doing="claiming", error=f"lane {lane_id} cannot be claimed"
            )
        self._signals.announce_endings(claimed.endings)
        self._signals.announce_notices(claimed.notices)


def _freed_by(seat: Seat) -> list[str]:
    """What lanes may have waited for while it was taken."""
    return [host_key(seat.host), hook_key(seat.hook_id), *([SUSPECTS] if seat.suspect else [])]
