"""Filters that let a value through as it is, or say what is wrong with it."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from hookengine.guard.sandbox.budget import Run
from hookengine.guard.sandbox.operators import whole
from hookengine.guard.sandbox.source import Refusal
from hookengine.guard.sandbox.values import Missing, limited, text

_COMMIT_HASH = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")
_LONGEST_ADDRESS: Final = 2000

_WHERE_HASHES_COME_FROM: Final = (
    "it comes from the variable `commit_hash` of the incoming hook that started the action, "
    "or the platform sends it with the event; a preset also takes another place in `sha`"
)


def commit_hash(run: Run, value: Any) -> str:
    """The full hash of a commit: 40 or 64 hexadecimal digits."""
    if isinstance(value, Missing) and value.written:
        message = f"there is no commit hash: {value.written} is not in the context"
        raise Refusal(message, _WHERE_HASHES_COME_FROM, value.written)
    if value in (None, ""):
        raise Refusal("there is no commit hash: the value is empty", _WHERE_HASHES_COME_FROM)
    found = text(run, value)
    run.charge(len(found))
    if not _COMMIT_HASH.fullmatch(found):
        raise Refusal(
            "the value is not the full hash of a commit, which has 40 or 64 hexadecimal digits",
            "a branch, a tag or a shortened hash does not do",
        )
    return found


def web_url(run: Run, value: Any, length: int = _LONGEST_ADDRESS) -> str:
    """An http(s) address of at most `length` characters: one that is cut leads nowhere."""
    address, room = text(run, value), whole(run, length)
    limited(run, 4 * len(address))
    if not _is_web_address(address):
        raise Refusal(
            "the value is not the address of a web page", "it begins with https:// or http:// and a host"
        )
    if len(address) > room:
        raise Refusal(f"the address has more than {room} characters, and addresses are not cut")
    return address


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and address.isprintable()
    except ValueError:
        return False
