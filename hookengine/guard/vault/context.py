"""Secrets that come with events: taken out of the context, sealed, and kept for their pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from hookengine.domain.context import MARK
from hookengine.errors import InvalidEvent
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault.audience import check_audience, provider_hosts, provider_of
from hookengine.guard.vault.failing import SecretMissing
from hookengine.guard.vault.sealing import Seal

CONTEXT = "context:"
_LABEL = "\x1f"
_MARKED = b'"%b":' % MARK.encode()


class Brought(NamedTuple):
    """What an event brought: its data with a mark in the place of each secret, that as JSON, and what is to be
    sealed of the secrets by their paths."""

    data: Mapping[str, Any]
    document: bytes
    secrets: Mapping[str, str]


class ContextSecrets:
    """`sealed(pipeline id, path)` gives the newest secret there, sealed, or None. It may go to `hosts`, and if it
    is a source provider's, to that one's own."""

    def __init__(
        self,
        seal: Seal,
        sealed: Callable[[int, str], Awaitable[str | None]],
        *,
        paths: Iterable[str] = (),
        hosts: Iterable[str] = (),
    ) -> None:
        self._seal = seal
        self._sealed = sealed
        self._paths = SecretPaths(paths)
        self._hosts = frozenset(host.lower() for host in hosts)

    def take_out(self, data: Mapping[str, Any]) -> Brought:
        """Data that no secret can stand in is given back as it is.

        Raises InvalidEvent for a mark that is there already, or a secret that is no text.
        """
        document = orjson.dumps(data)
        if _MARKED not in document and not self._paths.may_stand_in(document):
            return Brought(data, document, {})
        taken: dict[str, str] = {}
        clean = self._without(data, "", taken)
        return Brought(clean, orjson.dumps(clean), taken)

    def seal(self, pipeline_id: int, path: str, value: str) -> str:
        return self._seal.seal(value, belongs_to(pipeline_id, path))

    async def value(self, name: str, host: str) -> str:
        """Of the secret that a SecretRef names. Raises SecretRefused, SecretMissing, StoreError."""
        _, pipeline_id, path = name.split(":", 2)
        sealed = await self._sealed(int(pipeline_id), path)
        if sealed is None:
            raise SecretMissing(f"no event of pipeline {pipeline_id} has brought {path} yet")
        provider, _, value = self._seal.open(sealed, belongs_to(pipeline_id, path)).rpartition(_LABEL)
        hosts = self._hosts | provider_hosts(path, provider)
        check_audience(name, hosts, host, setting="secrets.context_hosts")
        return value

    def _without(self, data: Mapping[str, Any], prefix: str, taken: dict[str, str]) -> dict[str, Any]:
        paths, last_keys = self._paths, self._paths.last_keys
        if MARK in data:
            path = f"{prefix}{MARK}"
            raise InvalidEvent({path: [f"`{MARK}` is the engine's own word and cannot be sent."]})
        clean: dict[str, Any] = {}
        for key, value in data.items():
            if (key in last_keys or "." in key) and value is not None and paths.cover(f"{prefix}{key}"):
                clean[key] = _taken(f"{prefix}{key}", value, data, taken)
            elif isinstance(value, dict):
                clean[key] = self._without(value, f"{prefix}{key}.", taken)
            elif isinstance(value, list):
                clean[key] = self._without_in(value, f"{prefix}{key}.", taken)
            else:
                clean[key] = value
        return clean

    def _without_in(self, values: list[Any], prefix: str, taken: dict[str, str]) -> list[Any]:
        clean: list[Any] = []
        for index, value in enumerate(values):
            if isinstance(value, dict):
                clean.append(self._without(value, f"{prefix}{index}.", taken))
            elif isinstance(value, list):
                clean.append(self._without_in(value, f"{prefix}{index}.", taken))
            else:
                clean.append(value)
        return clean


def belongs_to(pipeline_id: object, path: str) -> str:
    """What a value is sealed for."""
    return f"{pipeline_id}|{path}"


def secrets_in(data: Mapping[str, Any], paths: SecretPaths) -> Iterator[str]:
    """Where a secret stands in the open, `paths` being where secrets stand."""
    yield from _standing_open(data, paths, "")


def _standing_open(data: Mapping[str, Any], paths: SecretPaths, prefix: str) -> Iterator[str]:
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if value.keys() != {MARK}:
                yield from _standing_open(value, paths, f"{path}.")
        elif value is not None and paths.cover(path):
            yield path


def _taken(path: str, value: Any, beside: Mapping[str, Any], taken: dict[str, str]) -> dict[str, str]:
    """Whose secret it is, is sealed with it: the next one may be another provider's."""
    if not isinstance(value, str) or _LABEL in value:
        raise InvalidEvent(
            {path: ["This path holds secrets (see secrets.context_paths): send a text or null."]}
        )
    if value:  # an empty one says nothing, and must not replace the one known
        provider = provider_of(path, beside)
        taken[path] = f"{provider}{_LABEL}{value}" if provider else value
    return {MARK: path}
