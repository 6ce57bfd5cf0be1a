"""A configuration file without an engine around it: no database, no network, no secret is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hookengine.config import Settings, read_config
from hookengine.guard.vault import ContextSecrets, NamedSecret, PlainSeal, Shelf, Vault
from hookengine.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    settings: Settings
    manifest: Manifest
    vault: Vault


def read(file: Path, environ: Mapping[str, str]) -> Configuration:
    """Raises ConfigError with everything that would keep `serve` from starting with this file alone."""
    settings, manifest = read_config(file, environ)
    return Configuration(settings=settings, manifest=manifest, vault=_vault(settings))


def _vault(settings: Settings) -> Vault:
    async def never_sealed(pipeline_id: int, path: str) -> str | None:
        return None

    async def never_stored(owner: str, name: str) -> None:
        return None

    seal = PlainSeal()
    context = ContextSecrets(seal, never_sealed, paths=settings.secrets.context_paths)
    return Vault(dict.fromkeys(settings.secrets.named, NamedSecret()), context, Shelf(seal, never_stored))
