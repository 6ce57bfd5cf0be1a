"""A request as the bytes that go out."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from hookengine.guard.url import Target

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer"}
    | {"upgrade", "expect", "proxy-connection"}
)
"""They say where a request ends, or what becomes of the connection."""

_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})


class UnfitError(ValueError):
    """A header would hold what headers cannot."""


def message_of(method: str, target: Target, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Head and body, to be written at once. Raises UnfitError, or ValueError for a method that is none."""
    lines = [f"{_method(method)} {target.path} HTTP/1.1", f"Host: {target.authority}"]
    for name, value in headers:
        if not _may_be_said(name):
            raise UnfitError(f"the header {name[:100]!r} cannot be sent")
        if not (value.isascii() and value.isprintable()):
            raise UnfitError(f"the header {name} would hold characters that headers cannot")
        lines.append(f"{name}: {value}")
    if body or method in _BODY_EXPECTED:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("ascii") + body


@functools.lru_cache(maxsize=64)
def _method(method: str) -> str:
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise ValueError("this is no method")
    return method


@functools.lru_cache(maxsize=1024)
def _may_be_said(name: str) -> bool:
    return bool(_TOKEN.fullmatch(name)) and name.lower() not in _OURS
