"""What a node offers a store that may grant it leases."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hookengine.domain.struct import struct
from hookengine.store.calls import Leased, LeaseTerms


@struct(kw_only=False)
class Offer:
    """Made before the store is asked, since leases count from then on: `take` what was granted."""

    terms: LeaseTerms
    take: Callable[[Iterable[Leased]], None]
