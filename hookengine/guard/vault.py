"""Secrets: taken out of contexts, sealed, and bound to requests at the last moment, for their hosts only."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from hookengine.domain.context import MARK
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.errors import HookEngineError, InvalidEvent
from hookengine.guard.secret_paths import SecretPaths

NAMED = "secrets."
_SHORTEST_SCRUBBED = 6
_REMOVED = "[secret]"


class SecretRefused(HookEngineError):
    """A secret may not go to this host."""


class SecretMissing(HookEngineError):
    """A secret has no value now: its variable is not set, its file cannot be read, or no event brought it."""


class Seal(Protocol):
    def seal(self, value: str, belongs_to: str) -> str: ...

    def open(self, sealed: str, belongs_to: str) -> str: ...


class PlainSeal:
    """No sealing at all, for trying things out."""

    def seal(self, value: str, belongs_to: str) -> str:
        return value

    def open(self, sealed: str, belongs_to: str) -> str:
        return sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecret:
    """Read anew each time it is used. `hosts` is where it may go."""

    env: str | None = None
    file: Path | None = None
    hosts: frozenset[str] = frozenset()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def value(self, name: str) -> str:
        if self.env is not None:
            value = self.environ.get(self.env)
            if value is None:
                raise SecretMissing(f"{NAMED}{name}: the environment variable {self.env} is not set")
        else:
            try:
                value = Path(self.file or "").read_text(encoding="utf-8")
            except OSError as error:
                raise SecretMissing(f"{NAMED}{name}: {self.file}: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise SecretMissing(f"{NAMED}{name}: {self.file} is not UTF-8 text") from error
        if not value.strip():
            raise SecretMissing(f"{NAMED}{name} is empty")
        if not _is_text(value):
            raise SecretMissing(f"{NAMED}{name} is not UTF-8 text")
        return value.strip()


class Vault:
    """`sealed(pipeline id, path)` gives the newest context secret there, sealed, or None."""

    def __init__(
        self,
        named: Mapping[str, NamedSecret],
        seal: Seal,
        sealed: Callable[[int, str], Awaitable[str | None]],
        *,
        context_paths: Iterable[str] = (),
        context_hosts: Iterable[str] = (),
    ) -> None:
        self._named = dict(named)
        self._seal = seal
        self._sealed = sealed
        self._paths = SecretPaths(context_paths)
        self._context_hosts = frozenset(host.lower() for host in context_hosts)
        self.names = tuple(sorted(named))

    def take_out(self, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The data with a mark in the place of each secret, and the secrets by their paths.

        Raises InvalidEvent for a mark that is there already, or a secret that is no text.
        """
        taken: dict[str, str] = {}
        return self._without(data, "", taken), taken

    def seal(self, pipeline_id: int, path: str, value: str) -> str:
        return self._seal.seal(value, f"{pipeline_id}|{path}")

    def value(self, name: str) -> str:
        """Of a named secret. Raises SecretMissing."""
        secret = self._named.get(name)
        if secret is None:
            raise SecretMissing(f"there is no secret {name!r} under `secrets:`")
        return secret.value(name)

    def missing(self) -> Iterator[str]:
        """What is wrong with named secrets that have no value now."""
        for name, secret in self._named.items():
            try:
                secret.value(name)
            except SecretMissing as error:
                yield str(error)

    async def values(self, request: RenderedRequest, host: str) -> dict[str, str]:
        """The secrets this request needs, by name. Raises SecretRefused, SecretMissing."""
        return {name: await self._for_host(name, host) for name in request.secrets}

    async def _for_host(self, name: str, host: str) -> str:
        if name.startswith(NAMED):
            short = name.removeprefix(NAMED)
            self._check_audience(name, self._named[short].hosts if short in self._named else None, host)
            return self.value(short)
        self._check_audience(name, self._context_hosts, host)
        _, pipeline_id, path = name.split(":", 2)
        sealed = await self._sealed(int(pipeline_id), path)
        if sealed is None:
            raise SecretMissing(f"no event of pipeline {pipeline_id} has brought {path} yet")
        return self._seal.open(sealed, f"{pipeline_id}|{path}")

    def _check_audience(self, name: str, hosts: frozenset[str] | None, host: str) -> None:
        if hosts is None:
            raise SecretMissing(f"there is no {name} any more")
        if host.lower() not in hosts:
            setting = f"{name}.hosts" if name.startswith(NAMED) else "secrets.context_hosts"
            raise SecretRefused(f"{name} may not go to {host}; if it should, add {host} to {setting}")

    def _without(self, data: Mapping[str, Any], prefix: str, taken: dict[str, str]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, value in data.items():
            path = f"{prefix}{key}"
            if key == MARK:
                raise InvalidEvent({path: [f"`{MARK}` is the engine's own word and cannot be sent."]})
            if value is not None and self._paths.cover(path):
                clean[key] = _taken(path, value, taken)
            elif isinstance(value, dict):
                clean[key] = self._without(value, f"{path}.", taken)
            elif isinstance(value, list):
                clean[key] = self._without_in(value, f"{path}.", taken)
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


def secrets_in(data: Mapping[str, Any], paths: Sequence[str]) -> Iterator[str]:
    """Where a secret stands in the open in what `paths` (as `secrets.context_paths`) are asked of."""
    yield from _standing_open(data, SecretPaths(paths), "")


def _standing_open(data: Mapping[str, Any], paths: SecretPaths, prefix: str) -> Iterator[str]:
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if value.keys() != {MARK}:
                yield from _standing_open(value, paths, f"{path}.")
        elif value is not None and paths.cover(path):
            yield path


def _taken(path: str, value: Any, taken: dict[str, str]) -> dict[str, str]:
    if not isinstance(value, str):
        raise InvalidEvent(
            {path: ["This path holds secrets (see secrets.context_paths): send a text or null."]}
        )
    if value:  # an empty one says nothing, and must not replace the one known
        taken[path] = value
    return {MARK: path}


def _is_text(value: str) -> bool:
    """What is not UTF-8 in an environment variable arrives as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def fill(ref: SecretRef, values: Mapping[str, str]) -> str:
    value = ref.prefix + values[ref.name]
    return base64.b64encode(value.encode()).decode() if ref.form == "base64" else value


def scrub(text: str, values: Iterable[str], *, cut: bool = False) -> str:
    """Take secrets out of what a target answered, also in base64, percent-encoded and escaped for JSON.

    `cut`: the text goes on where nobody has read; then the beginning of a secret is taken off its end too.
    """
    known = [value for value in values if len(value) >= _SHORTEST_SCRUBBED]
    if not text or not (cut or any(len(value) <= len(text) for value in known)):
        return text  # no form of a value is shorter than the value
    forms = {form for value in known for form in _forms(value)}
    longest_first = sorted(forms, key=len, reverse=True)
    for form in longest_first:
        text = text.replace(form, _REMOVED)
    if not cut:
        return text
    text = text.rstrip("\N{REPLACEMENT CHARACTER}")
    begun = max((_begun_at_the_end(text, form) for form in longest_first), default=0)
    return text[:-begun] + _REMOVED if begun else text


def _forms(value: str) -> Iterator[str]:
    encoded = base64.b64encode(value.encode()).decode()
    escaped = json.dumps(value)[1:-1]
    yield from (value, encoded, encoded.rstrip("="), quote(value, safe=""), quote(value))
    yield from (escaped, escaped.replace("/", "\\/"))


def _begun_at_the_end(text: str, form: str) -> int:
    """How many characters of the form the text ends with; 0 if too few to be of use to anybody."""
    sizes = range(min(len(form) - 1, len(text)), _SHORTEST_SCRUBBED // 2, -1)
    return next((size for size in sizes if text.endswith(form[:size])), 0)
