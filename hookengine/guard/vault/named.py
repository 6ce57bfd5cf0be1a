"""Secrets that the operator names in the file: each read from where it says, whenever it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hookengine.guard.vault.failing import SecretMissing

NAMED = "secrets."


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecret:
    """Read anew each time it is used. `hosts` is where it may go."""

    env: str | None = None
    file: Path | None = None
    hosts: frozenset[str] = frozenset()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def value(self, name: str) -> str:
        """Raises SecretMissing."""
        value = (self._from_variable(name) if self.env is not None else self._from_file(name)).strip()
        if not value:
            raise SecretMissing(f"{NAMED}{name} is empty")
        if not _is_text(value):
            raise SecretMissing(f"{NAMED}{name} is not UTF-8 text")
        return value

    async def check(self, name: str) -> None:
        """Raises SecretMissing."""
        self.value(name)

    async def newest(self, name: str, *, renew: bool = False) -> str:
        """As `value`: it is never kept, so there is nothing to renew."""
        return self.value(name)

    def _from_variable(self, name: str) -> str:
        value = self.environ.get(self.env or "")
        if value is None:
            raise SecretMissing(f"{NAMED}{name}: the environment variable {self.env} is not set")
        return value

    def _from_file(self, name: str) -> str:
        try:
            return Path(self.file or "").read_text(encoding="utf-8")
        except OSError as error:
            raise SecretMissing(f"{NAMED}{name}: {self.file}: {error.strerror}") from error
        except UnicodeDecodeError:
            # Its own cause would quote the bytes.
            raise SecretMissing(f"{NAMED}{name}: {self.file} is not UTF-8 text") from None


def _is_text(value: str) -> bool:
    """What is not UTF-8 in an environment variable arrives as lone surrogates."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
