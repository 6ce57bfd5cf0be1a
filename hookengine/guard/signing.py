"""Signatures: over what goes out, so that a receiver knows who sent it, and on what comes in.

Outgoing ones are Standard Webhooks 1.0 (https://www.standardwebhooks.com), or as GitHub signs its own webhooks.
"""

from __future__ import annotations

import base64
import functools
import hmac
import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookengine.domain.hook import GITHUB_SIGNATURE, SigningScheme
from hookengine.errors import HookEngineError

HMAC_PREFIX: Final = "whsec_"
ED25519_PREFIX: Final = "whsk_"

Sign = Callable[[bytes], bytes]
Headers = list[tuple[str, str]]


class UnfitSecret(HookEngineError):
    """A secret is no key to sign with."""


def signature_headers(
    scheme: SigningScheme, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> Headers:
    """For exactly these bytes. `timestamp` is the attempt's, in seconds since the epoch. Raises UnfitSecret."""
    if scheme is SigningScheme.GITHUB:
        return [(GITHUB_SIGNATURE, f"sha256={_hex(secrets[0], body)}")]
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    signatures = " ".join([_signature(secret, signed) for secret in secrets])
    return [("webhook-timestamp", str(timestamp)), ("webhook-signature", signatures)]


def bare(secret: str) -> str:
    """Without what tells its kind: a target might name the rest alone."""
    return secret.removeprefix(HMAC_PREFIX).removeprefix(ED25519_PREFIX)


def new_signing_secret() -> str:
    """For Standard Webhooks, of 32 random bytes."""
    return HMAC_PREFIX + base64.b64encode(os.urandom(32)).decode()


def verify_hmac(secret: str, body: bytes, signature: str) -> bool:
    """HMAC-SHA256 of the raw body in hex, with or without GitHub's `sha256=` before it; constant time."""
    given = signature.strip().removeprefix("sha256=").lower()
    return hmac.compare_digest(_hex(secret, body).encode(), given.encode())


def _signature(secret: str, signed: bytes) -> str:
    version, sign = _standard(secret)
    return f"{version},{base64.b64encode(sign(signed)).decode()}"


def _hex(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


@functools.lru_cache(maxsize=256)
def _standard(secret: str) -> tuple[str, Sign]:
    """The version of its signatures, and what makes them."""
    if secret.startswith(ED25519_PREFIX):
        return "v1a", _ed25519(_decoded(secret)).sign
    key = _decoded(secret)
    if not 24 <= len(key) <= 64:
        raise UnfitSecret(f"a signing secret is {HMAC_PREFIX} and base64 of 24 to 64 bytes")
    return "v1", functools.partial(_hmac, hmac.new(key, digestmod="sha256"))


def _hmac(keyed: hmac.HMAC, signed: bytes) -> bytes:
    """To begin with the key each time would take twice as long."""
    begun = keyed.copy()
    begun.update(signed)
    return begun.digest()


def _ed25519(raw: bytes) -> Ed25519PrivateKey:
    """Of 32 bytes, or of 64 with its public key behind it."""
    if len(raw) not in {32, 64}:
        raise UnfitSecret(f"an ed25519 secret is {ED25519_PREFIX} and base64 of 32 or 64 bytes")
    key = Ed25519PrivateKey.from_private_bytes(raw[:32])
    if raw[32:] not in {b"", key.public_key().public_bytes_raw()}:
        raise UnfitSecret(f"the halves of an ed25519 secret ({ED25519_PREFIX}) do not belong together")
    return key


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(bare(secret), validate=True)
    except ValueError:  # what caused it would quote the secret
        raise UnfitSecret(f"a signing secret is {HMAC_PREFIX} and base64 of 24 to 64 bytes") from None
