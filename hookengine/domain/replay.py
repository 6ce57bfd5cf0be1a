"""Replays of many: which deliveries are asked for again, and how far that has come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hookengine.domain.clock import Millis

MOST_PROBLEMS = 20


class ReplayMode(StrEnum):
    SAME = "same"  #: the same bytes
    RENDER = "render"  #: rendered anew, with the hook as it is now and the event as it was


class ReplayState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  #: by a person
    CANCELLED = "cancelled"  #: by a person, for good
    FINISHED = "finished"  #: all were asked for


_R = ReplayState

MOVES: Mapping[ReplayState, frozenset[ReplayState]] = {
    _R.RUNNING: frozenset({_R.PAUSED, _R.CANCELLED, _R.FINISHED}),
    _R.PAUSED: frozenset({_R.RUNNING, _R.CANCELLED}),
    _R.CANCELLED: frozenset(),
    _R.FINISHED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """`wanted` says which, as JSON, up to the delivery of id `up_to`; `place` is the last one that was done.

    `total` was counted when it began. `problems` are why some of the last ones were refused.
    """

    id: str
    mode: ReplayMode
    wanted: str
    per_minute: int
    up_to: str
    total: int
    created_at: Millis
    state: ReplayState = ReplayState.RUNNING
    replayed: int = 0
    refused: int = 0
    problems: tuple[str, ...] = ()
    place: str = ""
    ended_at: Millis | None = None

    def id_of(self, delivery_id: str) -> str:
        """Of the delivery that is owed once more: the same one, however often this is done."""
        digest = hashlib.sha256(f"{self.id} {delivery_id}".encode()).hexdigest()
        return f"dlv_{self.created_at & (1 << 48) - 1:012x}{digest[:20]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStep:
    """What came of the next ones. `finished`: there are no more."""

    place: str
    replayed: int
    refused: int
    problems: tuple[str, ...]
    due_at: Millis
    finished: bool
