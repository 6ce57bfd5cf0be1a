"""Why a secret cannot be had, or may not go out. Neither text ever holds a secret."""

from __future__ import annotations

from hookengine.errors import HookEngineError


class SecretRefused(HookEngineError):
    """A secret may not go to this host."""


class SecretMissing(HookEngineError):
    """A secret has no value now: its variable is not set, its file cannot be read, or nobody has set it."""
