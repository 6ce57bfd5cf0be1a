"""Why an event was delivered, or was not: each hook, and the first thing that kept it from matching."""

from __future__ import annotations

from typing import Protocol

from hookengine.domain import views
from hookengine.domain.clock import Clock
from hookengine.domain.context import Context
from hookengine.domain.event import Event
from hookengine.domain.pipeline import Pipeline
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.preview import TakesSecrets, why_not_here
from hookengine.engine.recalling import recalled
from hookengine.engine.snapshot import snapshot
from hookengine.errors import NotFound
from hookengine.store.records import Told


class Tells(Protocol):
    """What it needs of the records."""

    async def told(self, event_id: str, pipeline: int | str | None = None) -> Told: ...

    async def event(self, event_id: str, pipeline: int | str | None = None) -> views.EventDetails: ...


class Explainer:
    """With the hooks as they are now."""

    def __init__(self, catalogue: Catalogue, records: Tells, secrets: TakesSecrets, clock: Clock) -> None:
        self._catalogue = catalogue
        self._records = records
        self._secrets = secrets
        self._clock = clock

    async def stored(self, event_id: str, pipeline_id: int) -> views.Explained:
        """Against the context the event was accepted with. Raises NotFound."""
        told = await self._records.told(event_id, pipeline_id)
        shown = await self._records.event(event_id, pipeline_id)
        pipeline = self._catalogue.find_pipeline(told.pipeline_id)
        if pipeline is None:
            raise NotFound("pipeline", told.pipeline_id)
        view = recalled(told, pipeline, self._secrets.refs(pipeline.id))
        owed = {item["hook"]["id"]: item["id"] for item in reversed(shown["deliveries"])}
        return self._explained(pipeline, told.event, view, owed)

    async def unsent(self, event: Event) -> views.Explained:
        """As if it were the first event of its action; it is neither kept nor sent. Raises InvalidEvent."""
        pipeline = self._catalogue.pipeline(event.pipeline)
        data = self._secrets.take_out(event.data).data
        taken = snapshot(
            pipeline,
            {},
            event,
            data,
            self._secrets.refs(pipeline.id),
            event_id=event.id or "evt_unsent",
            now=self._clock.now(),
        )
        return self._explained(pipeline, event, taken.view, {})

    def _explained(
        self, pipeline: Pipeline, event: Event, view: Context, owed: dict[str, str]
    ) -> views.Explained:
        """Those that match first."""
        hooks: list[views.ExplainedHook] = [
            {
                "id": hook.id,
                "name": hook.name,
                "matches": (reason := why_not_here(hook, pipeline, event, view)) is None,
                "why_not": reason,
                "delivery": owed.get(hook.id),
            }
            for hook in self._catalogue.hooks_of(pipeline)
        ]
        return {
            "event": {"id": event.id, "type": event.type},
            "pipeline": {"id": pipeline.id, "name": pipeline.name},
            "hooks": sorted(hooks, key=lambda hook: not hook["matches"]),
        }
