"""Noticing that pipelines, hooks, secrets or tokens were changed, by this node or another process."""

from __future__ import annotations

import asyncio

from hookengine.engine import signals
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.signals import Signals
from hookengine.errors import StoreError
from hookengine.guard.tokens import TokenRing
from hookengine.guard.vault import Shelf
from hookengine.store.contract import Store

RELOAD_EVERY = 1  # seconds


class Reloader:
    def __init__(
        self, store: Store, catalogue: Catalogue, shelf: Shelf, tokens: TokenRing, signals: Signals
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._tokens = tokens
        self._catalogue = catalogue
        self._signals = signals
        self._version = 0
        self._turn = asyncio.Lock()

    async def reload(self) -> None:
        """What was committed before this was called counts when it returns. Raises StoreError."""
        async with self._turn:  # an answer that is late must not undo a newer one
            version, definitions = await self._store.definitions(self._version)
            if definitions is not None:
                self._tokens.know(definitions.tokens)
                self._shelf.know(definitions.secrets)
                self._catalogue.load(definitions)
                self._version = version
                for hook_id, error in self._catalogue.unfit():
                    self._signals.announce(signals.HOOK_UNFIT, hook=hook_id, because=str(error))

    async def keep_up(self) -> None:
        """What cannot be loaded now is tried again; until then what was loaded last counts."""
        try:
            await self.reload()
        except StoreError as error:
            self._signals.announce(signals.STORE_FAILED, doing="reloading", error=str(error))
