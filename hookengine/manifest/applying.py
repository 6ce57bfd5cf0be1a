"""Making what is defined what files wish for, in one transaction."""

from __future__ import annotations

from typing import Final

from hookengine.domain.clock import Millis
from hookengine.domain.manager import SERVED
from hookengine.errors import DefinitionsMoved
from hookengine.manifest.plan import Plan, Wish, plan
from hookengine.manifest.reading import Manifest
from hookengine.manifest.selector import MANAGED_BY, Selector
from hookengine.store.contract import Store

_TRIES: Final = 20
"""Nodes that start at one moment with one file are in each other's way once each."""


async def apply(store: Store, wish: Wish, now: Millis) -> Plan:
    """What was done, which is nothing when it was so already. Raises ConfigError, StoreError."""
    for _ in range(_TRIES):
        planned = plan(wish, await store.standing())
        try:
            await store.apply(planned.changes, now)
        except DefinitionsMoved:
            continue
        return planned
    raise DefinitionsMoved("what is defined changes faster than it can be read; try again")


def served(manifest: Manifest) -> Wish:
    """Of the file that `serve` starts with: it is its own manager, and names all that it manages."""
    return Wish(manifest=manifest, manager=SERVED, prune=Selector({MANAGED_BY: SERVED}))
