"""The calls that share transactions, as values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hookengine.domain.clock import Millis
from hookengine.store.calls import LeaseTerms, OwedEvent, OwedReplay, Report


@dataclass(frozen=True, slots=True)
class Accept:
    events: Sequence[OwedEvent]
    now: Millis
    terms: LeaseTerms


@dataclass(frozen=True, slots=True)
class Claim:
    """`alone`: look at one lane only, after a look at many went wrong."""

    now: Millis
    terms: LeaseTerms
    held: Collection[int] = frozenset()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    report: Report
    now: Millis
    terms: LeaseTerms


@dataclass(frozen=True, slots=True)
class Release:
    token: int
    now: Millis
    terms: LeaseTerms
    at: Millis = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    delivery_id: str
    because: str
    now: Millis
    terms: LeaseTerms


@dataclass(frozen=True, slots=True)
class Replay:
    owed: OwedReplay
    now: Millis
    terms: LeaseTerms


Ask = Accept | Claim | Finish | Release | Cancel | Replay
