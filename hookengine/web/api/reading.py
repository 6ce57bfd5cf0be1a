"""All routes that tell what happened, and that ask for it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from fastapi import Request

from hookengine.domain.clock import Clock
from hookengine.domain.event import Event
from hookengine.engine.replay import Replayer
from hookengine.engine.replays import Replays
from hookengine.store.records import Records
from hookengine.web.api.actions import actions_router
from hookengine.web.api.commits import commits_router
from hookengine.web.api.deliveries import deliveries_router
from hookengine.web.api.deployments import deployments_router
from hookengine.web.api.event_records import Explains, event_records_router
from hookengine.web.api.replays import replay_router, replays_router
from hookengine.web.api.wing import Wing
from hookengine.web.callers import Pipelines, caller_of, check_events, pipelines_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What they talk to."""

    records: Records
    pipelines: Pipelines
    explainer: Explains
    replayer: Replayer
    replays: Replays
    clock: Clock

    def seen(self, request: Request) -> Records:
        """What the caller gets to see: of a token that is bound, what belongs to its pipelines."""
        return self.records.seen_by(pipelines_of(caller_of(request), self.pipelines))

    def _check(self, request: Request, event: Event) -> None:
        check_events(caller_of(request), [event], self.pipelines)

    def wings(self) -> Iterator[Wing]:
        yield Wing(("/api/deliveries",), partial(deliveries_router, self.seen, self.clock))
        yield Wing(("/api/deliveries",), partial(replay_router, self.seen, self.replayer))
        yield Wing(("/api/replays",), partial(replays_router, self.seen, self.replays, self.clock))
        yield Wing(("/api/actions",), partial(actions_router, self.seen))
        events = partial(event_records_router, self.seen, self.explainer, self.clock, self._check)
        yield Wing(("/api/events",), events)
        yield Wing(("/api/commits",), partial(commits_router, self.seen))
        yield Wing(("/api/deployments",), partial(deployments_router, self.seen, self.clock))
