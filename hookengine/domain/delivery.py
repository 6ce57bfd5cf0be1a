"""Deliveries: one request owed for one event by one hook, and the ways its status may move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hookengine.domain.clock import Millis
from hookengine.domain.event import Rank


class DeliveryStatus(StrEnum):
    QUEUED = "queued"  #: waiting in its lane, never tried
    SENDING = "sending"  #: a node holds the lane's lease and tries
    RETRYING = "retrying"  #: tried, waiting for its next attempt
    DELIVERED = "delivered"  #: the target took it
    FAILED = "failed"  #: given up
    SUPERSEDED = "superseded"  #: not needed any more: a newer one says what counts
    CANCELLED = "cancelled"  #: a person, or switching its hook off, ended it


CHECK: Final = -1
"""The part of a delivery that tells nothing: it asks what the target shows."""
CURE: Final = -2
"""The part of what is told once more because a check has found something else; it is not checked again."""

_S = DeliveryStatus

WAITING = frozenset({_S.QUEUED, _S.RETRYING})
ENDED = frozenset({_S.DELIVERED, _S.FAILED, _S.SUPERSEDED, _S.CANCELLED})

BORN = frozenset({_S.QUEUED, _S.FAILED, _S.SUPERSEDED})
"""The statuses a delivery can start with: owed, unrenderable, or late already."""

TRANSITIONS: Mapping[DeliveryStatus, frozenset[DeliveryStatus]] = {
    _S.QUEUED: frozenset({_S.SENDING, _S.SUPERSEDED, _S.CANCELLED}),
    _S.SENDING: frozenset({_S.DELIVERED, _S.RETRYING, _S.FAILED, _S.SUPERSEDED, _S.CANCELLED, _S.QUEUED}),
    _S.RETRYING: frozenset({_S.SENDING, _S.SUPERSEDED, _S.CANCELLED}),
    _S.DELIVERED: frozenset(),
    _S.FAILED: frozenset(),
    _S.SUPERSEDED: frozenset(),
    _S.CANCELLED: frozenset(),
}


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A delivery as its lane sees it. Changed only by `LaneBook`, under the lane's lock.

    `number` and `first_seq` are the two orders of its action (the platform's, and when it was first
    accepted), `seq` its place in the order of acceptance within the lane. `strikes` counts attempts
    during which the node died. `doubt_until` is when it will have been settled whether a doubtful
    attempt had an effect; 0 if none was doubtful. `host` is whom its request goes to, `account` whose
    credential it carries there, `rate` what that one allows. `part` is which of its hook's requests it is,
    or CHECK or CURE.
    `provides` are the names of captures, parted by blanks, that it need not be sent for once all are known.
    """

    id: str
    event_key: str
    hook_id: str
    hook_revision: int
    request_id: str
    digest: str
    number: int | None
    first_seq: int
    rank: Rank
    accepted_at: Millis
    host: str = ""
    account: str = ""
    rate: str = ""
    part: int = 0
    provides: str = ""
    seq: int = 0
    status: DeliveryStatus = DeliveryStatus.QUEUED
    attempts: int = 0
    strikes: int = 0
    cancel_asked: bool = False
    doubt_until: Millis = 0
    superseded_by: str | None = None
    because: str = ""
    replay_of: str | None = None
    repair_of: str | None = None
    ended_at: Millis | None = None

    def move(self, status: DeliveryStatus, because: str = "") -> None:
        """Raises ValueError for a move the lifecycle does not know: a bug, never a state of the world."""
        if status not in TRANSITIONS[self.status]:
            raise ValueError(f"{self.id}: {self.status} -> {status} is no move of a delivery")
        self.status, self.because = status, because

    @property
    def waiting(self) -> bool:
        return self.status in WAITING


def asked_again(original: Delivery, replay_id: str, now: Millis) -> Delivery:
    """A replay: the same news at the same place, with a life of its own."""
    return replace(once_more(original, replay_id, now), repair_of=None, replay_of=original.id)


def once_more(shown: Delivery, repair_id: str, now: Millis, part: int | None = None) -> Delivery:
    """A repair: the same request at the same position, with a life of its own."""
    return Delivery(
        id=repair_id,
        event_key=shown.event_key,
        hook_id=shown.hook_id,
        hook_revision=shown.hook_revision,
        request_id=shown.request_id,
        digest=shown.digest,
        number=shown.number,
        first_seq=shown.first_seq,
        rank=shown.rank,
        host=shown.host,
        account=shown.account,
        rate=shown.rate,
        part=shown.part if part is None else part,
        provides=shown.provides,
        seq=shown.seq,
        accepted_at=now,
        repair_of=shown.id,
    )
