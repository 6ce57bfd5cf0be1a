"""Where secrets come from, and what seals them, built from settings."""

from __future__ import annotations

from collections.abc import Mapping

from hookengine.config import NamedSecret as Said
from hookengine.config import SecretSource, Settings
from hookengine.domain.clock import Clock
from hookengine.guard.key_file import open_ring
from hookengine.guard.vault import (
    AppInstallation,
    Ask,
    Declared,
    GithubApp,
    NamedSecret,
    PlainSeal,
    Seal,
    Shelf,
    Source,
)


def seal_of(settings: Settings) -> Seal:
    """Raises ConfigError without a key, unless none is wanted."""
    return PlainSeal() if settings.secrets.insecure_plaintext else open_ring(settings.secrets.key_file)


def sources(
    settings: Settings, shelf: Shelf, ask: Ask, clock: Clock, environ: Mapping[str, str]
) -> dict[str, Source]:
    """Of the secrets that the file names."""

    def source(name: str, said: Said) -> Source:
        if said.stored:
            return Declared(name, shelf, said.audience)
        if said.private_key is not None:
            return GithubApp(_installation(said, said.private_key, environ), said.audience, ask, clock)
        return NamedSecret(env=said.env, file=said.file, hosts=said.audience, environ=environ)

    return {name: source(name, said) for name, said in settings.secrets.named.items()}


def _installation(said: Said, key: SecretSource, environ: Mapping[str, str]) -> AppInstallation:
    return AppInstallation(
        app_id=str(said.app_id),
        installation_id=said.installation_id,
        repository=said.repository,
        api=said.api.rstrip("/"),
        private_key=NamedSecret(env=key.env, file=key.file, environ=environ),
    )
