"""Trying a hook out: what it would send for an event, and one request of it that is really sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from hookengine.domain import trial_views
from hookengine.domain.attempt import OUTCOMES, Blocked, Outcome, describe
from hookengine.domain.capture import CaptureMissing
from hookengine.domain.clock import Clock
from hookengine.domain.context import Context
from hookengine.domain.event import STATUS_CHANGED, Event, Lifecycle
from hookengine.domain.hook import Hook
from hookengine.domain.identity import new_id
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import RenderedRequest
from hookengine.engine.binding import MESSAGE_ID
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.preview import Preview, TakesSecrets, preview_in, sample_event
from hookengine.engine.recalling import recalled
from hookengine.engine.snapshot import snapshot
from hookengine.engine.trial_places import TrialPlaces
from hookengine.errors import InvalidDefinition, NotFound
from hookengine.guard.permissions import Permissions
from hookengine.store.records import Seen, Told

EVENT, EVENT_ID, SAMPLE = "event", "event_id", "sample"
IGNORE: Final = "ignore_conditions"


class Remembers(Protocol):
    """What it needs of the records."""

    def seen_by(self, seen: Seen) -> Remembers: ...

    async def told(self, event_id: str, pipeline: int | str | None = None) -> Told: ...


class Sends(Protocol):
    """What it needs of the sender."""

    async def send(
        self,
        request: RenderedRequest,
        headers: tuple[tuple[str, str], ...],
        deadline: float,
        *,
        hook: Hook | None = None,
    ) -> Outcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """An event on its pipeline, and what templates see of it."""

    pipeline: Pipeline
    event: Event
    view: Context


class Trials:
    def __init__(
        self,
        catalogue: Catalogue,
        records: Remembers,
        secrets: TakesSecrets,
        sender: Sends,
        clock: Clock,
        permissions: Permissions,
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._secrets = secrets
        self._sender = sender
        self._clock = clock
        self._permissions = permissions
        self._places = TrialPlaces()

    async def occasion(self, hook: Hook, wanted: Mapping[str, Any], seen: Seen = None) -> Occasion:
        """`wanted` names an event that was sent (`event_id`), holds one (`event`), or says of which type a sample
        is to be (`sample`); it may say nothing: a sample of what the hook wants. Of those that were sent only what
        happened on the pipelines `seen` is found.

        Raises InvalidDefinition, InvalidEvent, NotFound.
        """
        said = [key for key in (EVENT, EVENT_ID, SAMPLE) if wanted.get(key) is not None]
        if len(said) > 1:
            raise InvalidDefinition({said[1]: [f"Cannot be said beside `{said[0]}`."]})
        for key in (EVENT_ID, SAMPLE):
            if not isinstance(wanted.get(key, ""), str | None):
                raise InvalidDefinition({key: ["Must be a text."]})
        if said == [EVENT_ID]:
            return await self._stored(hook, wanted[EVENT_ID], seen)
        if said == [EVENT]:
            return self._first(hook, Event.parse(wanted[EVENT]))
        document = sample_event(
            wanted.get(SAMPLE) or _usual(hook),
            self._pipeline(hook),
            self._catalogue.incoming_hooks,
            self._clock.now(),
        )
        return self._first(hook, Event.parse(document))

    def preview(self, hook: Hook, occasion: Occasion, *, ignore_conditions: bool) -> Preview:
        return preview_in(
            occasion.view,
            hook,
            occasion.pipeline,
            occasion.event,
            self._permissions,
            ignore_conditions=ignore_conditions,
        )

    async def send(self, hook: Hook, shown: Preview) -> trial_views.SentTest:
        """One request, beside all lanes, limits and circuits, with the secrets there are now. Nothing is kept of
        it, nothing tried again. Raises TooManyTrials."""
        assert shown.request is not None, "there is something to send"  # noqa: S101
        message_id = new_id("test", self._clock.now())
        headers = ((MESSAGE_ID, message_id),)
        with self._places.take(self._team_of(hook)):
            try:
                request = shown.request.with_captured({})
                outcome = await self._sender.send(request, headers, hook.timeout, hook=hook)
            except CaptureMissing as error:
                outcome = Blocked(reason=str(error))
        return {
            "id": message_id,
            "outcome": OUTCOMES[type(outcome).__name__],
            "because": describe(outcome),
            "detail": asdict(outcome),
        }

    def _team_of(self, hook: Hook) -> str:
        """Of its pipeline; a hook of all pipelines is nobody's."""
        pipeline = None if hook.pipeline_id is None else self._catalogue.find_pipeline(hook.pipeline_id)
        return "" if pipeline is None else pipeline.team

    async def _stored(self, hook: Hook, event_id: str, seen: Seen) -> Occasion:
        told = await self._records.seen_by(seen).told(event_id, hook.pipeline_id)
        pipeline = self._catalogue.find_pipeline(told.pipeline_id)
        if pipeline is None:
            raise NotFound("event", event_id)
        refs = {**self._secrets.refs(pipeline.id), **self._secrets.refs_of(hook.id)}
        return Occasion(pipeline=pipeline, event=told.event, view=recalled(told, pipeline, refs))

    def _first(self, hook: Hook, event: Event) -> Occasion:
        """As if it were the first event of its action."""
        pipeline = self._catalogue.pipeline(event.pipeline)
        data = self._secrets.take_out(event.data).data
        refs = {**self._secrets.refs(pipeline.id), **self._secrets.refs_of(hook.id)}
        event_id, now = event.id or "evt_preview", self._clock.now()
        view = snapshot(pipeline, {}, event, data, refs, event_id=event_id, now=now).view
        return Occasion(pipeline=pipeline, event=event, view=view)

    def _pipeline(self, hook: Hook) -> Pipeline:
        """The hook's own; for a hook of all pipelines, the first."""
        if hook.pipeline_id is not None:
            return self._catalogue.pipeline(hook.pipeline_id)
        first = min(self._catalogue.pipelines, key=lambda pipeline: pipeline.id, default=None)
        if first is None:
            raise InvalidDefinition({SAMPLE: ["There is no pipeline yet; send an `event` instead."]})
        return first


def _usual(hook: Hook) -> str:
    wanted = next((name for name in hook.events if name != STATUS_CHANGED), None)
    return wanted or Lifecycle.STARTED
