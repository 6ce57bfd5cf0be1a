"""Signatures of incoming requests."""

from __future__ import annotations

import hashlib
import hmac


def verify_hmac(secret: str, body: bytes, signature: str) -> bool:
    """HMAC-SHA256 of the raw body in hex, with or without GitHub's `sha256=` before it; constant time."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = signature.strip().removeprefix("sha256=").lower()
    return hmac.compare_digest(expected.encode(), given.encode())
