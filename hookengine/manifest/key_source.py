"""Integration keys of a file's pipelines: from where they are read to the digests that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hookengine.guard.integration_key import digest_of_chosen_key
from hookengine.guard.vault import NamedSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """One of the three says where an integration key, or its digest, comes from."""

    env: str | None = None
    file: Path | None = None
    digest: str | None = None

    def read(self, environ: Mapping[str, str]) -> str:
        """The key's digest. Raises SecretMissing, UnfitKey."""
        if self.digest is not None:
            return self.digest
        return digest_of_chosen_key(
            NamedSecret(env=self.env, file=self.file, environ=environ).value("integration_key")
        )
