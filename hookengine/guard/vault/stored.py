"""Secrets that people have set, and the database keeps sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from hookengine.domain.request import SecretRef
from hookengine.domain.secret import EVERYONES, Kept, StoredSecret, of_hook, of_pipeline, reference
from hookengine.guard.vault.failing import SecretMissing
from hookengine.guard.vault.sealing import Seal

Refs = Mapping[str, SecretRef]
_NONE: Refs = {}


class Shelf:
    """Knows which there are, from what it was told last. `ask(owner, name)` asks the database; what it said is
    kept, sealed, until something is set anew."""

    def __init__(self, seal: Seal, ask: Callable[[str, str], Awaitable[Kept | None]]) -> None:
        self._seal = seal
        self._ask = ask
        self.know(())

    def know(self, secrets: Iterable[StoredSecret]) -> None:
        """These are all there are now."""
        self._known = {secret.reference: secret for secret in secrets}
        self._kept: dict[str, str] = {}
        self._refs: dict[str, dict[str, SecretRef]] = {}
        for secret in self._known.values():
            self._refs.setdefault(secret.owner, {})[secret.name] = SecretRef(secret.reference)

    def find(self, reference: str) -> StoredSecret | None:
        return self._known.get(reference)

    def of_everyone(self) -> Refs:
        return self._refs.get(EVERYONES, _NONE)

    def of_pipeline(self, pipeline_id: int) -> Refs:
        return self._refs.get(of_pipeline(pipeline_id), _NONE)

    def of_hook(self, hook_id: str) -> Refs:
        return self._refs.get(of_hook(hook_id), _NONE)

    async def value(self, secret: StoredSecret, *, renew: bool = False) -> str:
        """For its hosts. `renew`: what is kept does not count. Raises SecretMissing, StoreError."""
        kept = self._kept
        sealed = None if renew else kept.get(secret.reference)
        if sealed is None:
            found = await self._ask(secret.owner, secret.name)
            if found is None:
                raise SecretMissing(f"{secret.reference} was deleted")
            if found.hosts != secret.hosts:  # it was set by another node, and this one will be told
                raise SecretMissing(f"{secret.reference} goes to other hosts since a moment ago")
            sealed = found.sealed
            kept[secret.reference] = sealed  # what is known now may be newer: that goes by another dictionary
        return self._seal.open(sealed, secret.belongs_to)


class Declared:
    """A secret that the file names, and somebody sets."""

    def __init__(self, name: str, shelf: Shelf, hosts: frozenset[str]) -> None:
        self._reference = reference(EVERYONES, name)
        self._shelf = shelf
        self._hosts = hosts

    @property
    def hosts(self) -> frozenset[str]:
        """Those of the file, and those it was set with."""
        secret = self._shelf.find(self._reference)
        return self._hosts if secret is None else self._hosts.union(secret.hosts)

    async def check(self, name: str) -> None:
        """Raises SecretMissing."""
        self._set(name)

    async def newest(self, name: str, *, renew: bool = False) -> str:
        """Raises SecretMissing, StoreError."""
        return await self._shelf.value(self._set(name), renew=renew)

    def _set(self, name: str) -> StoredSecret:
        secret = self._shelf.find(self._reference)
        if secret is None:
            raise SecretMissing(f"{self._reference} is not set; `hookengine secrets set {name}` does it")
        return secret
