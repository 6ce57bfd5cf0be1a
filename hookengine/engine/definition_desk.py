"""Where pipelines, hooks and incoming hooks are defined one by one, and looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar

from hookengine.domain.clock import Clock, Millis
from hookengine.domain.definition import Change, Definition, Kind, Note
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.secret import StoredSecret, new_secret, of_hook, of_incoming
from hookengine.domain.signature import new_name, renewed, signatures_of
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.reloading import Reloader
from hookengine.errors import NotFound, Outdated
from hookengine.guard.vault import Seal
from hookengine.store.contract import Store

D = TypeVar("D", bound=Definition)
T = TypeVar("T")

OWN: Final = "signature"
"""What an incoming hook's own secret is called."""

_LOOK_AGAIN: Final = 5  # times, when others change the same thing at the same time


class DefinitionDesk:
    """What is changed here counts on this node when it returns, on the others within a second."""

    def __init__(
        self, store: Store, catalogue: Catalogue, reloader: Reloader, seal: Seal, clock: Clock
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._reloader = reloader
        self._seal = seal
        self._clock = clock

    def now(self) -> Millis:
        return self._clock.now()

    @property
    def known(self) -> Catalogue:
        """What this node knows already."""
        return self._catalogue

    async def newest(self) -> Catalogue:
        """With everything that any node has acknowledged. Raises StoreError."""
        await self._reloader.reload()
        return self._catalogue

    async def pipeline(self, pipeline_id: int) -> Pipeline:
        """Raises NotFound."""
        return _there((await self.newest()).find_pipeline(pipeline_id), Kind.PIPELINE, pipeline_id)

    async def hook(self, hook_id: str) -> Hook:
        """Raises NotFound."""
        return _there((await self.newest()).find_hook(hook_id), Kind.HOOK, hook_id)

    async def incoming_hook(self, hook_id: str) -> IncomingHook:
        """Raises NotFound."""
        return _there((await self.newest()).find_incoming(hook_id), Kind.INCOMING_HOOK, hook_id)

    async def create(self, definition: Definition, *, secret: str | None = None) -> None:
        """`secret`: the value of an incoming hook's own. Raises Outdated, ConfigError, StoreError."""
        owner = of_incoming(str(definition.id))
        kept = None if secret is None else self._sealed(owner, OWN, secret)
        await self._define(Change(after=definition, secret=kept))

    async def change_pipeline(
        self, pipeline_id: int, decide: Callable[[Pipeline], Pipeline | None], *, force: bool = False
    ) -> Pipeline | None:
        """As `change_hook`. One that is deleted takes its hooks along. Raises ConfigError as well."""
        return await self._change(lambda: self.pipeline(pipeline_id), decide, force)

    async def change_hook(
        self, hook_id: str, decide: Callable[[Hook], Hook | None], *, force: bool = False
    ) -> Hook | None:
        """What it is afterwards. `decide` is given what it is, and says what it is to be: None deletes it.

        Raises NotFound, ManagedElsewhere unless it is forced, Outdated when others never stop changing it,
        StoreError, and what `decide` raises.
        """
        return await self._change(lambda: self.hook(hook_id), decide, force)

    async def change_incoming_hook(
        self, hook_id: str, decide: Callable[[IncomingHook], IncomingHook | None], *, force: bool = False
    ) -> IncomingHook | None:
        """As `change_hook`."""
        return await self._change(lambda: self.incoming_hook(hook_id), decide, force)

    async def renew_secret(self, hook_id: str, value: str, *, force: bool = False) -> None:
        """The incoming hook asks for signatures with this secret of its own from now on. As `change_hook`."""
        before = await self.incoming_hook(hook_id)
        after = replace(before, secret=OWN)
        secret = self._sealed(of_incoming(hook_id), OWN, value)
        await self._define(Change(before=before, after=after, force=force, secret=secret))

    async def renew_signing(self, hook_id: str, value: str, *, force: bool = False) -> None:
        """The hook's requests are signed with this secret of its own from now on, and with the newest before it, if
        there was one. As `change_hook`."""
        name = new_name()
        secret = self._sealed(of_hook(hook_id), name, value)

        async def renewal(before: Hook) -> Change:
            own = await self._signatures(hook_id)
            signing = renewed(before.signing, name, {each.name for each in own})
            dropped = tuple(each for each in own if each.name not in signing.secrets)
            after = replace(before, signing=signing)
            return Change(before=before, after=after, force=force, secret=secret, dropped=dropped)

        await self._make(lambda: self.hook(hook_id), renewal)

    async def stop_signing(self, hook_id: str, *, force: bool = False) -> None:
        """The secrets that were made for it are gone. As `change_hook`."""

        async def end(before: Hook) -> Change:
            dropped = await self._signatures(hook_id)
            return Change(before=before, after=replace(before, signing=None), force=force, dropped=dropped)

        await self._make(lambda: self.hook(hook_id), end)

    async def switch(self, hook_id: str, state: HookState, because: str) -> Hook:
        """Raises NotFound, StoreError."""
        await self._store.switch(hook_id, state, because, self.now())
        return await self.hook(hook_id)

    async def free_pipeline_id(self) -> int:
        return await self._store.free_pipeline_id()

    async def notes(self, kind: Kind, ids: Collection[int | str]) -> Mapping[int | str, Note]:
        return await self._store.notes(kind, ids)

    async def note(self, definition: Definition) -> Note:
        """Raises NotFound if it was deleted meanwhile."""
        kind = Kind.of(definition)
        return _there((await self.notes(kind, [definition.id])).get(definition.id), kind, definition.id)

    async def revisions(self, hook_id: str) -> tuple[tuple[Hook, Millis], ...]:
        """Raises NotFound."""
        await self.hook(hook_id)
        return await self._store.revisions(hook_id)

    async def _change(
        self, find: Callable[[], Awaitable[D]], decide: Callable[[D], D | None], force: bool
    ) -> D | None:
        async def decided(before: D) -> Change:
            return Change(before=before, after=decide(before), force=force)

        return await self._make(find, decided)

    async def _make(
        self, find: Callable[[], Awaitable[D]], think: Callable[[D], Awaitable[Change]]
    ) -> D | None:
        before = await find()
        for _ in range(_LOOK_AGAIN):
            change = await think(before)
            with suppress(Outdated):
                await self._define(change)
                return None if change.after is None else await find()
            before = await find()
        raise Outdated(Kind.of(before), before.id)

    async def _define(self, change: Change) -> None:
        await self._store.define(change, self.now())
        await self._reloader.reload()

    async def _signatures(self, hook_id: str) -> tuple[StoredSecret, ...]:
        _, definitions = await self._store.definitions()
        return () if definitions is None else signatures_of(hook_id, definitions.secrets)

    def _sealed(self, owner: str, name: str, value: str) -> tuple[StoredSecret, str]:
        secret = new_secret(owner, name, (), self.now())
        return secret, self._seal.seal(value, secret.belongs_to)


def _there(found: T | None, kind: Kind, identity: int | str) -> T:
    if found is None:
        raise NotFound(kind, identity)
    return found
