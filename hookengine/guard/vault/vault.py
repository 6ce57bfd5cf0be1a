"""All kinds of secrets behind one door: templates get references, requests the values, at the last moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook
from hookengine.domain.request import SecretRef
from hookengine.domain.secret import StoredSecret, of_hook, of_incoming, of_pipeline, reference
from hookengine.guard.vault.audience import check_audience
from hookengine.guard.vault.context import CONTEXT, ContextSecrets
from hookengine.guard.vault.failing import SecretMissing
from hookengine.guard.vault.named import NAMED
from hookengine.guard.vault.stored import Refs, Shelf


class Source(Protocol):
    """Of the value of a secret that the file names. `hosts` is where it may go."""

    @property
    def hosts(self) -> frozenset[str]: ...

    async def check(self, name: str) -> None:
        """Without asking anybody outside. Raises SecretMissing if there can be no value."""
        ...

    async def newest(self, name: str, *, renew: bool = False) -> str:
        """`renew`: a value that was kept did not serve. Raises SecretMissing."""
        ...


class Vault:
    """`sources` are the secrets that the file names."""

    def __init__(self, sources: Mapping[str, Source], context: ContextSecrets, shelf: Shelf) -> None:
        self._sources = {NAMED + name: source for name, source in sources.items()}
        self._context = context
        self._shelf = shelf
        self._declared = {name: SecretRef(NAMED + name) for name in sources}
        self.take_out = context.take_out
        self.seal = context.seal

    def refs(self, pipeline_id: int) -> Refs:
        """What `secrets.NAME` means in the pipeline's templates, unless a hook has one of its own."""
        everyones, own = self._shelf.of_everyone(), self._shelf.of_pipeline(pipeline_id)
        if not everyones and not own:
            return self._declared
        return {**everyones, **self._declared, **own}

    def refs_of(self, hook_id: str) -> Refs:
        """A hook's own."""
        return self._shelf.of_hook(hook_id)

    async def value(self, name: str) -> str:
        """Of a secret of everyone's, for use in here. Raises SecretMissing, StoreError."""
        return await self._value(NAMED + name)

    async def incoming_secret(self, hook: IncomingHook) -> str:
        """What requests to it are signed with: its own if it has one. Raises SecretMissing, StoreError."""
        name = hook.secret or ""
        own = reference(of_incoming(hook.id), name)
        return await self._value(own if self._shelf.find(own) else NAMED + name)

    async def signing_secrets(self, hook: Hook, host: str) -> list[str]:
        """What the hook's requests to the host are signed with; they leave the engine in no other way.

        Raises SecretRefused, SecretMissing, StoreError.
        """
        names = hook.signing.secrets if hook.signing else ()
        return [await self._to_sign(self._meant(name, hook), host) for name in names]

    def signing_names(self, pipeline_id: int, hook_id: str) -> set[str]:
        """What a hook may sign with whose author is trusted with its pipeline only: not with what is everyone's and
        goes nowhere, which others may sign with as well, or ask senders to."""
        everyones = {name: NAMED + name for name in {*self._declared, *self._shelf.of_everyone()}}
        bound = {name for name, reference in everyones.items() if self._audience(reference)[0]}
        return {*bound, *self._shelf.of_pipeline(pipeline_id), *self._shelf.of_hook(hook_id)}

    async def values(self, names: Iterable[str], host: str, *, renew: bool = False) -> dict[str, str]:
        """Of the secrets of these names. `renew`: the values that were given did not serve.

        Raises SecretRefused, SecretMissing, StoreError.
        """
        values: dict[str, str] = {}
        for name in names:
            values[name] = await self._for_host(name, host, renew=renew)
        return values

    async def missing(self) -> list[str]:
        """What is wrong with secrets of the file that have no value now."""
        wrong = []
        for name, source in self._sources.items():
            try:
                await source.check(name.removeprefix(NAMED))
            except SecretMissing as error:
                wrong.append(str(error))
        return wrong

    async def _for_host(self, name: str, host: str, *, renew: bool) -> str:
        if name.startswith(CONTEXT):
            return await self._context.value(name, host)
        hosts, setting = self._audience(name)
        check_audience(name, hosts, host, setting=setting)
        return await self._value(name, renew=renew)

    async def _to_sign(self, name: str, host: str) -> str:
        """One that goes nowhere is for signing; one that is sent to hosts is no business of other hosts, and a
        signature of chosen bytes would let them guess at it, and speak in its name."""
        hosts, setting = self._audience(name)
        if hosts:
            check_audience(name, hosts, host, setting=setting)
        return await self._value(name)

    def _audience(self, name: str) -> tuple[Collection[str], str]:
        """And where it is set."""
        source = self._sources.get(name)
        if source is not None:
            return source.hosts, f"{name}.hosts"
        return self._stored(name).hosts, "the hosts that it is set with"

    async def _value(self, name: str, *, renew: bool = False) -> str:
        source = self._sources.get(name)
        if source is not None:
            return await source.newest(name.removeprefix(NAMED), renew=renew)
        return await self._shelf.value(self._stored(name), renew=renew)

    def _stored(self, name: str) -> StoredSecret:
        secret = self._shelf.find(name)
        if secret is None:
            raise SecretMissing(f"there is no {name}: nobody has set it, and the file does not name it")
        return secret

    def _meant(self, name: str, hook: Hook) -> str:
        """The secret that the hook means by `name`."""
        owners = [of_hook(hook.id)] + ([] if hook.pipeline_id is None else [of_pipeline(hook.pipeline_id)])
        own = (reference(owner, name) for owner in owners)
        return next((found for found in own if self._shelf.find(found)), NAMED + name)
