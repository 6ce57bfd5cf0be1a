"""The key ring: secrets at rest are sealed with AES-256-GCM.

A sealed value is `v1.KEY.DATA`: the id of its key, and base64 of a 12-byte random nonce and the ciphertext.
What it belongs to is bound in as additional data, so that a value copied to another place does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookengine.errors import ConfigError, Problem, StoreError

_SEALED = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9+/]{38,}={0,2})")
_NONCE = 12
_KEY = 32


class KeyRing:
    """The first key seals, every key opens."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0])

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """One key a line, each 32 bytes in base64. Raises ConfigError."""
        try:
            lines = path.read_text(encoding="ascii").split()
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except FileNotFoundError as error:
            hint = f"make one with `hookengine init`, or point secrets.key_file at yours; looked at {path}"
            raise ConfigError([Problem(message="there is no key to seal secrets with", hint=hint)]) from error
        except (OSError, ValueError) as error:
            raise ConfigError([_unusable(path)]) from error
        if not keys or any(len(key) != _KEY for key in keys):
            raise ConfigError([_unusable(path)])
        return cls(keys)

    def seal(self, value: str, belongs_to: str) -> str:
        nonce = os.urandom(_NONCE)
        sealed = self._keys[self._first].encrypt(nonce, value.encode(), f"v1|{belongs_to}".encode())
        return f"v1.{self._first}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, belongs_to: str) -> str:
        """Raises StoreError when the key is missing or the value does not belong there."""
        matched = _SEALED.fullmatch(sealed)
        if matched is None:
            raise StoreError(f"the secret of {belongs_to} was kept without a key; send it again")
        key_id, data = matched.groups()
        key = self._keys.get(key_id)
        if key is None:
            raise StoreError(f"a secret is sealed with key {key_id}, which is not in the key file")
        raw = base64.b64decode(data)
        try:
            return key.decrypt(raw[:_NONCE], raw[_NONCE:], f"v1|{belongs_to}".encode()).decode()
        except InvalidTag as error:
            raise StoreError(
                f"the secret of {belongs_to} does not open: it was sealed for another place"
            ) from error


def new_key_file(path: Path) -> None:
    """Readable by its owner only. Raises FileExistsError rather than replace a key."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(os.urandom(_KEY)).decode() + "\n")


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"hookengine key id" + key).hexdigest()[:8]


def _unusable(path: Path) -> Problem:
    return Problem(place=str(path), message="a key file holds keys of 32 bytes in base64, one a line")
