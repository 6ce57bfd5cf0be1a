"""Credentials as the hosts take them out of a request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

from hookengine.simulators.records import Received


def token_of(received: Received, *, schemes: Collection[str] = ("bearer",), basic: bool = False) -> str:
    """What follows one of these schemes or, with `basic`, the password of Basic; empty if there is none."""
    scheme, _, credentials = received.headers.get("authorization", "").partition(" ")
    if scheme.lower() in schemes:
        return credentials.strip()
    if not basic or scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
