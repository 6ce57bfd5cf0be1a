"""Secrets: taken out of contexts, sealed, and bound to requests at the last moment, for their hosts only."""

from __future__ import annotations

from hookengine.guard.vault.audience import provider_hosts
from hookengine.guard.vault.context import Brought, ContextSecrets, secrets_in
from hookengine.guard.vault.failing import SecretMissing, SecretRefused
from hookengine.guard.vault.github_app import AppInstallation, Ask, GithubApp
from hookengine.guard.vault.named import NAMED, NamedSecret
from hookengine.guard.vault.scrubbing import fill, scrub
from hookengine.guard.vault.sealing import PlainSeal, Seal
from hookengine.guard.vault.stored import Declared, Refs, Shelf
from hookengine.guard.vault.vault import Source, Vault

__all__ = [
    "NAMED",
    "AppInstallation",
    "Ask",
    "Brought",
    "ContextSecrets",
    "Declared",
    "GithubApp",
    "NamedSecret",
    "PlainSeal",
    "Refs",
    "Seal",
    "SecretMissing",
    "SecretRefused",
    "Shelf",
    "Source",
    "Vault",
    "fill",
    "provider_hosts",
    "scrub",
    "secrets_in",
]
