"""The watchdog among actions that cannot be told: nobody else waits for these."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.event import Event
from hookengine.engine.signals import Signals
from hookengine.engine.watchdog import AT_ONCE, Watchdog
from hookengine.errors import InvalidEvent
from hookengine.store.care import FROM_THE_LONGEST, OpenPlace, Overdue
from tests.conftest import NOW, Clock

pytestmark = pytest.mark.anyio

HOSTILE, HARMLESS = 1, 2


class Store:
    def __init__(self, *pipelines: int) -> None:
        self._open = [
            Overdue(
                pipeline_id=pipeline, action_id=str(number), first_seq=number, open_since=NOW, context="{}"
            )
            for number, pipeline in enumerate(pipelines, 1)
        ]

    async def overdue(
        self, before: int, limit: int, place: OpenPlace = FROM_THE_LONGEST
    ) -> tuple[Overdue, ...]:
        return tuple([action for action in self._open if action.place > place][:limit])


class Intake:
    """Takes nothing of the hostile pipeline: its contexts are as large as they may be."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def accept(self, events: list[Event]) -> None:
        if events[0].pipeline == HOSTILE:
            raise InvalidEvent({"action": ["The action's context would grow beyond 262144 bytes."]})
        self.told += events


async def test_actions_that_cannot_be_told_keep_no_other_from_being_told(clock: Clock) -> None:
    store: Any = Store(*[HOSTILE] * (AT_ONCE + 1), HARMLESS)
    intake: Any = Intake()

    told = await Watchdog(store, intake, Signals(), clock, after=1).watch()

    assert (told, [event.pipeline for event in intake.told]) == (1, [HARMLESS])
