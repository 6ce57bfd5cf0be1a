"""What the judge is given, and what it says. Times are milliseconds since the epoch, of one machine's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Row = Mapping[str, Any]
"""A row of a table, by its columns' names."""


class Fate(StrEnum):
    """What the sender of an event was told."""

    ACKNOWLEDGED = "acknowledged"  #: a 2xx: from then on the event is durable
    UNKNOWN = "unknown"  #: no answer, or one that leaves it open (5xx)
    REFUSED = "refused"  #: a 4xx: it was not taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """One sending of an event; the same event may be emitted again. `digest` is that of its body.

    `deliveries` is what the answer promised: delivery ids by hook id.
    """

    event_id: str
    fate: Fate
    at: float
    digest: str = ""
    deliveries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request that reached a receiver. `number` is its place in the order in which that receiver got them.

    `ended_at` is when the answer had been written or the connection was gone, None while neither has come.
    `status` is what was answered, if at least its first line was written. `applied_at` is when the receiver
    began to show it, None if it never did. `digest` is empty if the body was not waited for. `beside` are the
    deliveries of the same lane that were under way when it came.
    """

    receiver: str
    number: int
    delivery: str
    position: str
    lane: str
    path: str
    digest: str
    started_at: float
    ended_at: float | None = None
    status: int | None = None
    applied_at: float | None = None
    beside: tuple[str, ...] = ()
    body: str = ""

    def __str__(self) -> str:
        ended = "open" if self.ended_at is None else f"{self.ended_at:.1f}"
        return (
            f"{self.receiver}#{self.number} {self.delivery} [{self.started_at:.1f}, {ended}] -> {self.status}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The tables when all was quiet. `action` is asked for the pipelines whose numbers order lanes."""

    event: Sequence[Row] = ()
    delivery: Sequence[Row] = ()
    attempt: Sequence[Row] = ()
    lane: Sequence[Row] = ()
    action: Sequence[Row] = ()
    hook: Sequence[Row] = ()
    gate: Sequence[Row] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A node that stood still or was killed, from `begins` until it went on or was started again."""

    node: str
    begins: float
    ends: float
    killed: bool = False

    def holds(self, node: str) -> bool:
        """Whether it was this node; an attempt that names no node may be anyone's."""
        return node in ("", self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`clock` is how far apart two clocks may be, `lag` how late a receiver may notice that something came or
    was hung up, `wake` how long after its pause a node may still write what it was about to write.
    """

    lease: float = 50_000
    settle: float = 60_000
    grace: float = 5_000
    clock: float = 2
    lag: float = 250
    wake: float = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`read_at` is when the tables were read. Rows of events accepted before `forgotten_before` may have been
    pruned. `paused_hooks` were paused some time: in an `ordered` lane they let others go first.
    """

    emitted: Sequence[Emitted]
    received: Sequence[Received]
    rows: Rows
    read_at: float
    pauses: Sequence[Pause] = ()
    limits: Limits = field(default_factory=Limits)
    forgotten_before: float = 0
    paused_hooks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """`invariant` such as I3, or the number of a rule of the lane protocol such as L2."""

    invariant: str
    text: str
    evidence: tuple[object, ...] = ()

    def __str__(self) -> str:
        return "\n    ".join([f"{self.invariant}: {self.text}", *map(str, self.evidence)])
