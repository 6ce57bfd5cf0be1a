"""Replays: a person asks for a delivery again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from hookengine.domain import replay_views, views
from hookengine.domain.clock import Clock
from hookengine.domain.hook import HookState
from hookengine.domain.identity import new_id
from hookengine.domain.replay import ReplayMode
from hookengine.engine import signals
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.intake import Hands
from hookengine.engine.owing import OwnSecrets, owe_part
from hookengine.engine.preview import TakesSecrets
from hookengine.engine.recalling import recalled
from hookengine.engine.signals import Signals
from hookengine.errors import ReplayRefused, StoreError, TemplateError
from hookengine.store.calls import OwedDelivery, OwedReplay, Replayed
from hookengine.store.contract import Store
from hookengine.store.records import Told


class Remembers(Protocol):
    """What it needs of the records."""

    async def told(self, event_id: str, pipeline: int | str | None = None) -> Told: ...

    async def delivery(self, delivery_id: str) -> views.DeliveryDetails: ...


class Secrets(TakesSecrets, OwnSecrets, Protocol):
    """What it needs of the vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Deliveries that have ended are owed once more, in their lanes."""

    store: Store
    catalogue: Catalogue
    records: Remembers
    secrets: Secrets
    hands: Hands
    signals: Signals
    clock: Clock

    async def one(self, delivery_id: str, mode: ReplayMode, replay_id: str | None = None) -> str:
        """The id of the new delivery, durable. Asked twice with the same `replay_id`, it is the same one.

        Raises NotFound, ReplayRefused, StoreError.
        """
        new = replay_id or new_id("dlv", self.clock.now())
        original = await self.records.delivery(delivery_id)
        self._check_hook(original["hook"]["id"])
        anew = await self._rendered(original, new) if mode is ReplayMode.RENDER else None
        replayed = await asyncio.shield(self._write(OwedReplay(id=new, replay_of=delivery_id, anew=anew)))
        if replayed.fresh:
            self.signals.announce(signals.DELIVERY_REPLAYED, delivery=new, replay_of=delivery_id)
        return new

    async def sample(self, delivery_id: str, mode: ReplayMode) -> replay_views.ReplaySample:
        """What a replay would send; `problem` says what keeps it from it, as far as that is known before. Raises
        NotFound."""
        original = await self.records.delivery(delivery_id)
        request, problem = original["request"], None
        try:
            self._check_hook(original["hook"]["id"])
            if mode is ReplayMode.RENDER:
                rendered = (await self._rendered(original, "dlv_sample")).request
                request = None if rendered is None else rendered.shown()
        except ReplayRefused as error:
            request, problem = None, str(error)
        if request is None and problem is None:
            problem = original["because"]
        return {"delivery": delivery_id, "status": original["status"], "request": request, "problem": problem}

    async def cancel(self, delivery_id: str, because: str) -> str:
        """Its status afterwards: what is being sent is cancelled once it fails. Raises NotFound, StoreError."""
        offer = self.hands.offer()
        status = await self.store.cancel(delivery_id, because, self.clock.now(), offer.terms)
        self.hands.wake()
        return status

    def _check_hook(self, hook_id: str) -> None:
        hook = self.catalogue.find_hook(hook_id)
        if hook is None:
            raise ReplayRefused(f"its hook {hook_id} has been deleted")
        if hook.state is HookState.DISABLED:
            raise ReplayRefused(f"its hook {hook_id} is disabled: enable it first")

    async def _rendered(self, original: views.DeliveryDetails, replay_id: str) -> OwedDelivery:
        hook = self.catalogue.find_hook(original["hook"]["id"])
        pipeline_id = original["action"]["pipeline"]["id"] if original["action"] else None
        told = await self.records.told(original["event"]["id"], pipeline_id)
        pipeline = self.catalogue.find_pipeline(told.pipeline_id)
        if hook is None or pipeline is None:
            raise ReplayRefused("its hook or its pipeline has been deleted")
        view = recalled(told, pipeline, self.secrets.refs(pipeline.id))
        action = pipeline.id, str(told.event.action_id)
        part = len(hook.before) if original["part"] is None else original["part"]["number"] - 1
        try:
            return owe_part(self.catalogue, self.secrets, hook, part, view, action, replay_id)
        except TemplateError as error:
            raise ReplayRefused(f"it cannot be rendered: {error}") from error

    async def _write(self, owed: OwedReplay) -> Replayed:
        """Shielded from a caller that goes away: a lease that was granted must reach the worker."""
        offer = self.hands.offer()
        try:
            replayed = await self.store.replay(owed, self.clock.now(), offer.terms)
        except StoreError:
            self.hands.wake()
            raise
        offer.take(replayed.leased)
        if not replayed.leased:
            self.hands.wake()
        self.signals.announce_endings(replayed.endings)
        self.signals.announce_notices(replayed.notices)
        return replayed
