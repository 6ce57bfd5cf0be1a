"""Making what is defined what files wish for, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookengine.domain.clock import Millis
from hookengine.domain.manager import SERVED
from hookengine.errors import DefinitionsMoved
from hookengine.manifest.plan import Plan, Wish, plan
from hookengine.manifest.selector import MANAGED_BY, Selector
from hookengine.manifest.wish import Manifest
from hookengine.store.contract import Store

TRIES: Final = 20
"""Nodes that start at one moment with one file are in each other's way once each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """`name` is what mistakes in it are told under."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks for: files that count as one, and what may go that they do not name."""

    files: tuple[File, ...]
    selector: str = ""
    prune: bool = False
    dry_run: bool = False


async def apply(store: Store, wish: Wish, now: Millis) -> Plan:
    """What was done, which is nothing when it was so already. Raises ConfigError, StoreError."""
    for _ in range(TRIES):
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
