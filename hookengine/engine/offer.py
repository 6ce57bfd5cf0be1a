"""What a node offers a store: room for leases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hookengine.store.contract import Leased, LeaseTerms


@dataclass(frozen=True, slots=True)
class Offer:
    """Room kept free for leases that are being asked for: `take` what was granted."""

    terms: LeaseTerms
    take: Callable[[Iterable[Leased]], None]
