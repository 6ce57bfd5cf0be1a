"""Replays of many: planned, started, and done a few at a time beside live traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from hookengine.domain import replay_views
from hookengine.domain.clock import Clock, Millis
from hookengine.domain.identity import new_id
from hookengine.domain.replay import Replay, ReplayMode, ReplayState, ReplayStep
from hookengine.engine import signals
from hookengine.engine.replay import Replayer
from hookengine.engine.signals import Signals
from hookengine.errors import NotFound, ReplayRefused, StoreError
from hookengine.store.contract import Store
from hookengine.store.records import Wanted

TICK: Final = 1  # seconds between looks for what is due
MOST: Final = 100_000
"""So many are counted, that many or more."""

_SAMPLES: Final = 5
_HELD: Final[Millis] = 60_000  # how long a node that went away keeps others from going on
_LARGEST_STEP: Final = 100


class Chooses(Protocol):
    """What it needs of the records; those of a plan may be bound to what somebody gets to see."""

    async def count(self, wanted: Wanted, most: int) -> tuple[int, str]: ...

    async def following(self, wanted: Wanted, after: str, up_to: str, limit: int) -> list[str]: ...

    def within(self, wanted: Wanted) -> Wanted: ...


class Room(Protocol):
    @property
    def free(self) -> int:
        """How many requests this node could still take on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    store: Store
    records: Chooses
    replayer: Replayer
    room: Room
    signals: Signals
    clock: Clock

    async def plan(self, wanted: Wanted, mode: ReplayMode, seen: Chooses) -> replay_views.ReplayPlan:
        """How many it would be, and what the first of them would send. Nothing is kept."""
        count, up_to = await seen.count(wanted, MOST)
        first = await seen.following(wanted, "", up_to, _SAMPLES)
        samples = [await self.replayer.sample(delivery_id, mode) for delivery_id in first]
        return {"count": count, "at_least": count == MOST, "mode": mode, "samples": samples}

    async def start(self, wanted: Wanted, mode: ReplayMode, per_minute: int, seen: Chooses) -> str:
        """Of all there are now; what comes later is not among them. Its id."""
        now = self.clock.now()
        count, up_to = await seen.count(wanted, MOST)
        replay = Replay(
            id=new_id("rpl", now),
            mode=mode,
            wanted=seen.within(wanted).to_json(),
            per_minute=per_minute,
            up_to=up_to,
            total=count,
            created_at=now,
        )
        await self.store.begin_replay(replay, now)
        return replay.id

    async def switch(self, replay_id: str, state: ReplayState) -> None:
        """Raises NotFound, ReplayRefused."""
        await self.store.switch_replay(replay_id, state, self.clock.now())

    async def keep_up(self) -> bool:
        """The next ones of a replay that is due; whether there was one. Several nodes may do this."""
        try:
            now = self.clock.now()
            replay = await self.store.take_replay(now, now + _HELD)
            if replay is None:
                return False
            step = await self._step(replay)
            await self.store.advance_replay(replay, step, self.clock.now())
        except StoreError as error:
            self.signals.announce(signals.STORE_FAILED, doing="replaying", error=str(error))
            return False
        if step.finished:
            self.signals.announce(signals.REPLAY_FINISHED, replay=replay.id)
        return True

    async def _step(self, replay: Replay) -> ReplayStep:
        """As many as go in a tick, or one if that is less; none while live traffic takes all there is room for."""
        size = max(1, min(round(replay.per_minute * TICK / 60), _LARGEST_STEP))
        due_at = self.clock.now() + round(size * 60_000 / replay.per_minute)
        if self.room.free < size:
            return _nothing(replay, due_at)
        wanted = Wanted.from_json(replay.wanted)
        ids = await self.records.following(wanted, replay.place, replay.up_to, size)
        replayed, problems, place = 0, list[str](), replay.place
        for delivery_id in ids:
            try:
                await self.replayer.one(delivery_id, replay.mode, replay.id_of(delivery_id))
                replayed += 1
            except (ReplayRefused, NotFound) as error:
                problems.append(f"{delivery_id}: {error}")
            place = delivery_id
        return ReplayStep(
            place=place,
            replayed=replayed,
            refused=len(problems),
            problems=tuple(problems),
            due_at=due_at,
            finished=len(ids) < size,
        )


def _nothing(replay: Replay, due_at: Millis) -> ReplayStep:
    return ReplayStep(place=replay.place, replayed=0, refused=0, problems=(), due_at=due_at, finished=False)
