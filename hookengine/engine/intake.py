"""Events in: select the hooks that want one, render what it owes, find the lanes, write it all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from hookengine.domain.clock import Clock, Millis
from hookengine.domain.context import Context
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.event import Event, digest_of, key_of, order_of
from hookengine.domain.event_list import at_index
from hookengine.domain.hook import Hook
from hookengine.domain.identity import new_id
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import SecretRef
from hookengine.domain.struct import struct
from hookengine.engine import signals
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.offer import Offer
from hookengine.engine.owing import owe
from hookengine.engine.selection import select
from hookengine.engine.signals import Signals
from hookengine.engine.snapshot import snapshot
from hookengine.engine.turns import Turns
from hookengine.errors import InvalidEvent, StaleContext, StoreError
from hookengine.guard.vault import Brought
from hookengine.store.calls import ActionKey, Ending, OwedDelivery, OwedEvent, Remembered
from hookengine.store.calls import Intake as Written
from hookengine.store.contract import Store
from hookengine.store.settling import settle

LARGEST_TOTAL = (
    8 * 1024 * 1024
)  # bytes of contexts in one request: each event keeps a copy while it is rendered
RENDER_AGAIN = 20  # times, when other nodes' events of the same action keep coming in between

Answer = dict[str, Any]
"""What the sender of an event is told: its id, its action and the hooks that matched."""

_Owing = tuple[Hook, tuple[OwedDelivery, ...]]
"""A hook that matched, and what the event owes by it: one delivery for each of its requests, its own last."""


class Seals(Protocol):
    """What intake needs of the vault."""

    def refs(self, pipeline_id: int) -> Mapping[str, SecretRef]:
        """What `secrets.NAME` means in templates of the pipeline's hooks."""
        ...

    def refs_of(self, hook_id: str) -> Mapping[str, SecretRef]:
        """What it means in those of this hook instead."""
        ...

    def take_out(self, data: Context) -> Brought: ...

    def seal(self, pipeline_id: int, path: str, value: str) -> str: ...


class Hands(Protocol):
    """What intake needs of the worker."""

    def offer(self) -> Offer: ...

    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    largest_batch: int = 1000
    context_bytes: int = 256 * 1024
    create_pipelines: bool = False  # an event of an unknown pipeline creates it


@struct()
class _Sorted:
    """An event with its pipeline found and its secrets taken out."""

    id: str
    event: Event
    pipeline: Pipeline
    key: str
    action: ActionKey
    brought: Brought = field(repr=False)


class Intake:
    """Where events come in, over HTTP, from the library or from an incoming hook."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        seals: Seals,
        hands: Hands,
        signals: Signals,
        clock: Clock,
        limits: Limits = Limits(),
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._seals = seals
        self._hands = hands
        self._signals = signals
        self._clock = clock
        self._limits = limits
        self._turns = Turns()
        self._creating = asyncio.Lock()

    async def accept(self, events: Sequence[Event]) -> list[Answer]:
        """Owe these events to every hook that wants them: all of them, or none. Safe to call twice.

        What comes back is durable: per event its id, its action and the hooks that matched. Raises
        InvalidEvent, EventConflict, StoreError.
        """
        if self._limits.create_pipelines:
            await self._create_pipelines(events)
        sorted_events = self._sort(events)
        try:
            return await self._accept(sorted_events)
        except StaleContext:
            pass  # now by turns
        async with self._turns.take(event.action for event in sorted_events):
            for _ in range(RENDER_AGAIN):
                with suppress(StaleContext):
                    return await self._accept(sorted_events)
        raise StaleContext("too many events of one action at the same time; try again")

    async def _accept(self, events: Sequence[_Sorted]) -> list[Answer]:
        """Raises StaleContext when another event of one of the actions came in between."""
        remembered = await self._store.remember(
            [event.key for event in events if event.event.id is not None],
            [event.action for event in events],
        )
        now = self._clock.now()
        owed, answers = self._owe(events, remembered, now)
        written = await self._write(owed, now)
        return [
            answer if accepted.fresh else orjson.loads(accepted.answer)
            for answer, accepted in zip(answers, written.accepted, strict=True)
        ]

    def _owe(
        self, events: Sequence[_Sorted], remembered: Remembered, now: Millis
    ) -> tuple[list[OwedEvent], list[Answer]]:
        """Each event with its deliveries, rendered from the context that the events before it have left; and what
        its sender is told if it is new."""
        known, total = set(remembered.events), 0
        contexts: dict[ActionKey, tuple[int, Context]] = {
            action: (revision, orjson.loads(text)) for action, (revision, text) in remembered.actions.items()
        }
        owed, answers = [], []
        ids = iter(lambda: new_id("dlv", now), None)
        for index, event in enumerate(events):
            revision, context = contexts.get(event.action, (0, {}))
            taken = snapshot(
                event.pipeline,
                context,
                event.event,
                event.brought.data,
                self._seals.refs(event.pipeline.id),
                event_id=event.id,
                now=now,
            )
            text = taken.document
            owing: list[_Owing] = []
            if event.key not in known:
                known.add(event.key)
                total += len(text)
                self._check_size(text, total, index, len(events))
                contexts[event.action] = (revision + 1, taken.remembered)
                hooks = select(self._catalogue.hooks_of(event.pipeline), event.event.type, taken.view)
                owing = [
                    (hook, owe(self._catalogue, self._seals, hook, taken, event.action, ids))
                    for hook in hooks
                ]
            order = order_of(taken.remembered["action"])
            answer = _answer(event, owing)
            owed.append(_owed(event, owing, answer, text, order, revision, self._seals.seal))
            answers.append(answer)
        return owed, answers

    def _write(self, owed: Sequence[OwedEvent], now: Millis) -> asyncio.Future[Written]:
        """For a caller, who may go away: what is written goes on, and a lease that is granted reaches the worker."""
        told = asyncio.get_running_loop().create_future()
        offer = self._hands.offer()
        writing = self._store.accept(owed, now, offer.terms)
        writing.add_done_callback(lambda writing: self._written(owed, offer, writing, told))
        return told

    def _written(
        self,
        owed: Sequence[OwedEvent],
        offer: Offer,
        writing: asyncio.Future[Written],
        told: asyncio.Future[Written],
    ) -> None:
        if writing.cancelled():
            told.cancel()
            return
        error = writing.exception()
        if error is not None:
            settle(told, error)
            if isinstance(error, StoreError) and not isinstance(error, StaleContext):
                self._hands.wake()  # room that was taken meanwhile is there again
            return
        written = writing.result()
        settle(told, written)
        offer.take(written.leased)
        wanted = sum([delivery.request is not None for event in owed for delivery in event.deliveries])
        if len(written.leased) < wanted:
            self._hands.wake()
        self._tell(owed, written)

    async def _create_pipelines(self, events: Sequence[Event]) -> None:
        async with self._creating:
            for event in events:
                if self._catalogue.find_pipeline(event.pipeline) is None:
                    self._catalogue.load(await self._store.create_pipeline(event.pipeline))

    def _sort(self, events: Sequence[Event]) -> list[_Sorted]:
        if not 0 < len(events) <= self._limits.largest_batch:
            raise InvalidEvent(
                {"events": [f"Send 1 to {self._limits.largest_batch} events, not {len(events)}."]}
            )
        wrong: dict[str, list[str]] = {}
        found = []
        for index, event in enumerate(events):
            try:
                pipeline = self._catalogue.pipeline(event.pipeline)
                brought = self._seals.take_out(event.data)
            except InvalidEvent as error:
                wrong.update(at_index(error.errors, index, len(events)))
                continue
            event_id = event.id or new_id("evt", self._clock.now())
            found.append(
                _Sorted(
                    id=event_id,
                    event=event,
                    pipeline=pipeline,
                    key=key_of(pipeline.id, event_id),
                    action=(pipeline.id, str(event.action_id)),
                    brought=brought,
                )
            )
        if wrong:
            raise InvalidEvent(wrong)
        return found

    def _check_size(self, context: bytes, total: int, index: int, of: int) -> None:
        if len(context) > self._limits.context_bytes:
            message = f"The action's context would grow beyond {self._limits.context_bytes} bytes."
            raise InvalidEvent(at_index({"action": [message]}, index, of))
        if total > LARGEST_TOTAL:
            message = (
                f"The contexts of these events come to more than {LARGEST_TOTAL} bytes; send fewer at a time."
            )
            raise InvalidEvent({"events": [message]})

    def _tell(self, owed: Sequence[OwedEvent], written: Written) -> None:
        for event, accepted in zip(owed, written.accepted, strict=True):
            self._signals.announce(
                signals.EVENT_ACCEPTED if accepted.fresh else signals.EVENT_REPEATED,
                event=event.id,
                type=event.event.type,
                pipeline=event.pipeline_id,
                action=event.event.action_id,
                matched=len(event.deliveries),
            )
            if accepted.fresh:
                self._signals.announce_endings(_unrenderable(event.deliveries))
        self._signals.announce_endings(written.endings)
        self._signals.announce_notices(written.notices)


def _unrenderable(deliveries: Sequence[OwedDelivery]) -> list[Ending]:
    return [
        Ending(delivery_id=delivery.id, status=DeliveryStatus.FAILED, because=delivery.unrenderable)
        for delivery in deliveries
        if delivery.request is None
    ]


def _owed(
    sorted_event: _Sorted,
    owing: Sequence[_Owing],
    answer: Answer,
    context: bytes,
    order: int | None,
    revision: int,
    seal: Callable[[int, str, str], str],
) -> OwedEvent:
    event, pipeline, brought = sorted_event.event, sorted_event.pipeline, sorted_event.brought
    return OwedEvent(
        id=sorted_event.id,
        event=event if event.number == order else replace(event, number=order),
        pipeline_id=pipeline.id,
        digest=digest_of(brought.data, event),
        document=brought.document.decode(),
        answer=orjson.dumps(answer).decode(),
        context=context.decode(),
        known_revision=revision,
        deliveries=tuple([delivery for _, deliveries in owing for delivery in deliveries]),
        secrets={path: seal(pipeline.id, path, value) for path, value in brought.secrets.items()},
    )


def _answer(event: _Sorted, owing: Sequence[_Owing]) -> Answer:
    """What the sender is told, now and whenever it sends the same event again."""
    return {
        "id": event.id,
        "type": event.event.type,
        "action": {
            "id": event.event.action_id,
            "pipeline": {"id": event.pipeline.id, "name": event.pipeline.name},
        },
        "hooks": [
            {
                "id": hook.id,
                "name": hook.name,
                "delivery": deliveries[-1].id,
                **({"before": [delivery.id for delivery in deliveries[:-1]]} if len(deliveries) > 1 else {}),
                **({"problem": deliveries[-1].unrenderable} if deliveries[-1].request is None else {}),
            }
            for hook, deliveries in owing
        ],
    }
