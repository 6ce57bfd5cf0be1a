"""The key ring: secrets at rest are sealed with AES-256-GCM.

A sealed value is `v1.KEY.DATA`: the id of its key, and base64 of a 12-byte random nonce and the ciphertext.
What it belongs to is bound in as additional data, so that a value copied to another place does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookengine.errors import StoreError

KEY_BYTES = 32

_SEALED = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9+/]{38,}={0,2})")
_NONCE = 12

Newer = Callable[[], Sequence[bytes]]
"""The keys there are now, if they changed since it was asked last; else none."""


class KeyRing:
    """The first key seals, every key opens. What `newer` gives comes on top; no key is forgotten.

    May be used in several threads.
    """

    def __init__(self, keys: Sequence[bytes], newer: Newer = tuple) -> None:
        self._newer = newer
        self._keys: dict[str, AESGCM] = {}
        self._add(keys)

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._keys)}, first {self.first}>"

    def seal(self, value: str, belongs_to: str) -> str:
        """With the first key there is now: nobody may seal any more with one that was rotated out."""
        self._add(self._newer())
        first, nonce = self.first, os.urandom(_NONCE)
        sealed = self._keys[first].encrypt(nonce, value.encode(), _bound(belongs_to))
        return f"v1.{first}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, belongs_to: str) -> str:
        """Raises StoreError when the key is missing or the value does not belong there."""
        matched = _SEALED.fullmatch(sealed)
        if matched is None:
            raise StoreError(f"the secret of {belongs_to} was kept without a key; send it again")
        key_id, data = matched.groups()
        if key_id not in self._keys:
            self._add(self._newer())
        key = self._keys.get(key_id)
        if key is None:
            raise StoreError(f"a secret is sealed with key {key_id}, which is not in the key file")
        raw = base64.b64decode(data)
        try:
            return key.decrypt(raw[:_NONCE], raw[_NONCE:], _bound(belongs_to)).decode()
        except InvalidTag as error:
            raise StoreError(
                f"the secret of {belongs_to} does not open: it was sealed for another place"
            ) from error

    def _add(self, keys: Sequence[bytes]) -> None:
        if keys:
            self._keys = {**self._keys, **{id_of(key): AESGCM(key) for key in keys}}
            self.first = id_of(keys[0])


def _bound(belongs_to: str) -> bytes:
    return f"v1|{belongs_to}".encode()


def id_of(key: bytes) -> str:
    """Eight hexadecimal digits, which tell nothing about the key."""
    return hashlib.sha256(b"hookengine key id" + key).hexdigest()[:8]


def key_of(sealed: str) -> str:
    """The id of the key a value is sealed with; empty if it is not sealed at all."""
    matched = _SEALED.fullmatch(sealed)
    return matched[1] if matched else ""


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)
