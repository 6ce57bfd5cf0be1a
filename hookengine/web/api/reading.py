"""All routes that tell what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter

from hookengine.domain.clock import Clock
from hookengine.store.records import Records
from hookengine.web.api.actions import actions_router
from hookengine.web.api.commits import commits_router
from hookengine.web.api.deliveries import deliveries_router
from hookengine.web.api.deployments import deployments_router
from hookengine.web.api.event_records import Explains, event_records_router


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What they talk to."""

    records: Records
    explainer: Explains
    clock: Clock

    def routers(self) -> Iterator[APIRouter]:
        yield deliveries_router(self.records, self.clock)
        yield actions_router(self.records)
        yield event_records_router(self.records, self.explainer, self.clock)
        yield commits_router(self.records)
        yield deployments_router(self.records, self.clock)
