"""A configuration file without an engine around it: no database, no network, no secret is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hookengine.config import Settings, read_config
from hookengine.errors import ConfigError, Problem
from hookengine.guard.vault import NamedSecret, PlainSeal, Vault
from hookengine.manifest import Document, Manifest, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    settings: Settings
    manifest: Manifest
    vault: Vault


def read(file: Path, environ: Mapping[str, str]) -> Configuration:
    """Raises ConfigError with everything that would keep `serve` from starting with this file alone."""
    document = load(file)
    settings, manifest = read_config(document, environ)
    vault = _vault(settings)
    problems = list(_secrets_in_the_open(document, manifest, vault))
    if problems:
        raise ConfigError(problems)
    return Configuration(settings=settings, manifest=manifest, vault=vault)


def _vault(settings: Settings) -> Vault:
    async def never_sealed(pipeline_id: int, path: str) -> str | None:
        return None

    named = {name: NamedSecret(env=said.env, file=said.file) for name, said in settings.secrets.named.items()}
    return Vault(named, PlainSeal(), never_sealed, context_paths=settings.secrets.context_paths)


def _secrets_in_the_open(document: Document, manifest: Manifest, vault: Vault) -> Iterator[Problem]:
    """The engine refuses them when it starts; here each is told with its place."""
    for number, pipeline in enumerate(manifest.pipelines):
        for path in vault.find(pipeline.context):
            yield document.problem(
                ("pipelines", number, "context", *path.split(".")),
                "a secret must not stand here",
                hint='name it under `secrets:` and write {"$secret": "secrets.NAME"} here',
            )
