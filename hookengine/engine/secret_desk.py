"""Where secrets are set: values go in and never come out again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hookengine.domain.clock import Clock
from hookengine.domain.secret import (
    EVERYONES,
    StoredSecret,
    checked_value,
    new_secret,
    of_hook,
    own_hosts,
)
from hookengine.engine.reloading import Reloader
from hookengine.errors import InvalidSecret, NotFound
from hookengine.guard.vault import Seal
from hookengine.store.care import Definitions
from hookengine.store.contract import Store


class SecretDesk:
    """`elsewhere` are the names of everyone's secrets that are read from where the configuration says."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        reloader: Reloader,
        clock: Clock,
        elsewhere: Collection[str] = frozenset(),
    ) -> None:
        self._store = store
        self._seal = seal
        self._reloader = reloader
        self._clock = clock
        self._elsewhere = elsewhere

    async def set(
        self, name: str, value: str, *, hosts: Iterable[str] | None = None, owner: str = EVERYONES
    ) -> StoredSecret:
        """From now on requests get this value, on other nodes within a second. Without `hosts` a hook's own goes
        where the hook goes, any other nowhere: it is for signing.

        Raises InvalidSecret, NotFound for an owner that is not there, StoreError.
        """
        if owner == EVERYONES and name in self._elsewhere:
            raise InvalidSecret(
                "name", f"stands in the configuration, which says where secrets.{name} is read from"
            )
        if hosts is None:
            hosts = default_hosts(await self._definitions(), owner)
        secret = new_secret(owner, name, hosts, self._clock.now())
        await self._store.keep_secret(secret, self._seal.seal(checked_value(value), secret.belongs_to))
        await self._reloader.reload()
        return secret

    async def list(self) -> tuple[StoredSecret, ...]:
        """By owner and name. Raises StoreError."""
        return (await self._definitions()).secrets

    async def delete(self, name: str, *, owner: str = EVERYONES) -> None:
        """Raises NotFound, StoreError."""
        await self._store.drop_secret(owner, name)
        await self._reloader.reload()

    async def _definitions(self) -> Definitions:
        _, definitions = await self._store.definitions()
        return definitions or Definitions()


def default_hosts(definitions: Definitions, owner: str) -> tuple[str, ...]:
    """Raises InvalidSecret, NotFound."""
    kind, _, identity = owner.partition(":")
    if kind != "hook":
        return ()
    hook = next((hook for hook in definitions.hooks if of_hook(hook.id) == owner), None)
    if hook is None:
        raise NotFound("hook", identity)
    return own_hosts(hook)
