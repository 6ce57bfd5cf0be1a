"""The watchdog: an action of which nothing more was heard is told to have timed out.

Without it a platform that dies in the middle of a deploy leaves its commit pending for ever.
"""

from __future__ import annotations

import orjson

from hookengine.domain.clock import Clock, Millis
from hookengine.domain.event import WATCHDOG_ID, Event, Lifecycle
from hookengine.engine import signals
from hookengine.engine.intake import Intake
from hookengine.engine.signals import Signals
from hookengine.errors import ActionMovedOn, EventConflict, InvalidEvent, StoreError
from hookengine.store.care import FROM_THE_LONGEST, Overdue
from hookengine.store.contract import Store

WATCH_EVERY = 30  # seconds
AT_ONCE = 200


class Watchdog:
    """`after` is how long an action may take, counted from when it was last queued or started."""

    def __init__(self, store: Store, intake: Intake, signals: Signals, clock: Clock, after: Millis) -> None:
        self._store = store
        self._intake = intake
        self._signals = signals
        self._clock = clock
        self._after = after

    async def watch(self) -> int:
        """How many actions have timed out. Several nodes may watch: each action is told once."""
        told, place = 0, FROM_THE_LONGEST
        before = self._clock.now() - self._after
        try:
            while overdue := await self._store.overdue(before, AT_ONCE, place):
                told += len([action for action in overdue if await self._tell(action)])
                place = overdue[-1].place  # what could not be told keeps no other from being told
        except StoreError as error:
            self._signals.announce(signals.STORE_FAILED, doing="watching", error=str(error))
        return told

    async def _tell(self, action: Overdue) -> bool:
        """Whether it was told; what cannot be is tried again the next time."""
        try:
            await self._intake.accept([_timed_out(action)])
        except ActionMovedOn:
            return False
        except (InvalidEvent, EventConflict) as error:
            self._signals.announce(signals.WORKER_FAILED, doing="watching", error=str(error))
            return False
        self._signals.announce(signals.ACTION_TIMED_OUT, pipeline=action.pipeline_id, action=action.action_id)
        return True


def _timed_out(action: Overdue) -> Event:
    """Its id is the same on every node."""
    told = orjson.loads(action.context).get("action", {})
    action_id = told.get("id", action.action_id)
    return Event(
        id=f"{WATCHDOG_ID}{action.first_seq}:{action.open_since}",
        type=Lifecycle.TIMED_OUT,
        occurred_at=None,
        action_id=action_id,
        pipeline=action.pipeline_id,
        number=None,
        data={"action": {"id": action_id, "pipeline": action.pipeline_id}},
        if_open_since=action.open_since,
    )
