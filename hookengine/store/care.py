"""What is handed to a store, and what comes back, of defining, upkeep and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.request import RenderedRequest
from hookengine.domain.secret import StoredSecret
from hookengine.domain.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What admins defined, as the engine runs it."""

    pipelines: tuple[Pipeline, ...] = ()
    hooks: tuple[Hook, ...] = ()
    incoming_hooks: tuple[IncomingHook, ...] = ()
    secrets: tuple[StoredSecret, ...] = ()  # not applied: they are kept and dropped one by one
    tokens: tuple[Token, ...] = ()  # as are these


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """An action that has not ended; `open_since` is when it was last queued or started, by the store's own clock,
    so that every node is told the same and may repeat it in `Event.if_open_since`."""

    pipeline_id: int
    action_id: str
    first_seq: int
    open_since: Millis
    context: str

    @property
    def place(self) -> OpenPlace:
        """Where it stands among all that are overdue."""
        return self.open_since, self.first_seq


OpenPlace = tuple[Millis, int]
"""(open since when, first_seq)"""


FROM_THE_LONGEST: OpenPlace = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """What ended at `delivered` or before then is old; what failed, at `failed`. `now` is when this is asked."""

    delivered: Millis
    failed: Millis
    now: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """An attempt with its request. `outcome` is None while it is under way; `detail` is all that is known of it."""

    delivery_id: str
    attempt: int
    hook_id: str
    action_id: str | None
    started_at: Millis
    finished_at: Millis | None
    outcome: str | None
    detail: Mapping[str, Any]
    request: RenderedRequest | None


LeftOff = tuple[int, Millis]
"""Where in pruning to go on: at which kind of thing, and at how old a one."""


FROM_THE_START: LeftOff = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many `rows` of the most frequent kind went; `left_off` is None when no more are to go."""

    rows: int
    left_off: LeftOff | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`waiting` is counted up to 100,000, that many or more. `oldest_due` is None while nothing is due.
    `circuits` maps hosts to `open` or `half-open`."""

    waiting: int
    oldest_due: Millis | None
    leases: int
    circuits: Mapping[str, str]
    wal_bytes: int = 0
