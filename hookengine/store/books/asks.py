"""The calls that share transactions, as values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hookengine.domain.clock import Millis
from hookengine.domain.struct import struct
from hookengine.store.calls import LeaseTerms, OwedEvent, OwedReplay, Report


@struct(kw_only=False)
class Accept:
    events: Sequence[OwedEvent]
    now: Millis
    terms: LeaseTerms


@struct(kw_only=False)
class Claim:
    """`alone`: look at one lane only, after a look at many went wrong."""

    now: Millis
    terms: LeaseTerms
    held: Collection[int] = frozenset()
    alone: bool = False


@struct(kw_only=False)
class Finish:
    report: Report
    now: Millis
    terms: LeaseTerms


@struct(kw_only=False)
class Release:
    token: int
    now: Millis
    terms: LeaseTerms
    at: Millis = 0


@struct(kw_only=False)
class Cancel:
    delivery_id: str
    because: str
    now: Millis
    terms: LeaseTerms


@struct(kw_only=False)
class Replay:
    owed: OwedReplay
    now: Millis
    terms: LeaseTerms


Ask = Accept | Claim | Finish | Release | Cancel | Replay
KINDS: Final = (Accept, Claim, Finish, Release, Cancel, Replay)
