"""API tokens at the door: `hke_ID_SECRET`, of which only a digest is kept.

The secret is 256 random bits, which nobody guesses: a fast digest of it is as good as a slow one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from typing import Final, NamedTuple

from hookengine.domain.token import ANYBODY, Token

PREFIX: Final = "hke_"
SCHEMES: Final = ("bearer", "apikey")
"""Of the `Authorization` header; the second is for senders that were made for Harness."""
_ID_BYTES, _SECRET_BYTES = 10, 32


class Fresh(NamedTuple):
    """A new token. Its `text` is shown once and kept nowhere."""

    text: str
    id: str
    digest: str


def new_token() -> Fresh:
    token_id, secret = _word(_ID_BYTES), _word(_SECRET_BYTES)
    text = f"{PREFIX}{token_id}_{secret}"
    return Fresh(text, token_id, digest_of(text))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class TokenRing:
    """`configured` are those of the operator's file, which may look like anything; None: nobody is asked for one."""

    def __init__(self, configured: Iterable[Token] | None = ()) -> None:
        self._stored: dict[str, Token] = {}
        self.configure(configured)

    def configure(self, configured: Iterable[Token] | None) -> None:
        self._configured = None if configured is None else tuple(configured)

    def know(self, stored: Iterable[Token]) -> None:
        """Those that the database has, in the place of those known before."""
        self._stored = {token.id: token for token in stored}

    def caller(self, authorization: str) -> Token | None:
        """Whose `Authorization` header this is; None if it lets nobody in."""
        if self._configured is None:
            return ANYBODY
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        text = text.strip()
        digest, found = digest_of(text), None
        stored = self._stored.get(_id_of(text))
        # All are compared, so that the time taken does not tell which one was close.
        for token in (*self._configured, *((stored,) if stored else ())):
            if hmac.compare_digest(digest, token.digest):
                found = token
        return found


def _id_of(text: str) -> str:
    return text.removeprefix(PREFIX).partition("_")[0]


def _word(size: int) -> str:
    return base64.b32encode(os.urandom(size)).decode().rstrip("=").lower()
