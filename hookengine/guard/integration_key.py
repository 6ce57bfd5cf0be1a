"""Integration keys: whoever has one may report to its pipeline, and only the digest of it is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

PREFIX: Final = "hki_"
SHORTEST: Final = 20  # characters: nobody may find a key by guessing, nor from its digest
DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class UnfitKey(ValueError):
    """A text is too easily guessed to be an integration key."""


def new_integration_key() -> str:
    """Of 160 random bits, to be shown once."""
    return PREFIX + secrets.token_hex(20)


def digest_of_key(key: str) -> str:
    """SHA-256, in hex. Looking a digest up tells nothing of how close another key is, however long it takes."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def digest_of_chosen_key(key: str) -> str:
    """Of one that a person has made up. Raises UnfitKey."""
    if len(key) < SHORTEST:
        raise UnfitKey(f"an integration key has at least {SHORTEST} characters")
    return digest_of_key(key)
