"""A request as the bytes that go out."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

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


Headers = Sequence[tuple[str, str]]


def message_of(
    method: str, target: Target, headers: Headers, body: bytes, usual: tuple[tuple[str, str], ...] = ()
) -> bytes:
    """Head and body, to be written at once. What is `usual` is said unless `headers` say otherwise.

    Raises UnfitError, or ValueError for a method that is none.
    """
    first = f"{_method(method)} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"
    said = _lines(tuple([name for name, _ in headers]), usual) % _checked(headers)
    length = f"Content-Length: {len(body)}\r\n" if body or method in _BODY_EXPECTED else ""
    return f"{first}{said}{length}\r\n".encode("ascii") + body


def _checked(headers: Headers) -> tuple[str, ...]:
    """The values, if all of them are fit."""
    values = tuple([value for _, value in headers])
    together = "".join(values)
    if not (together.isascii() and together.isprintable()):
        name = next(name for name, value in headers if not (value.isascii() and value.isprintable()))
        raise UnfitError(f"the header {name} would hold characters that headers cannot")
    return values


@functools.lru_cache(maxsize=64)
def _method(method: str) -> str:
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise ValueError("this is no method")
    return method


@functools.lru_cache(maxsize=1024)
def _lines(names: tuple[str, ...], usual: tuple[tuple[str, str], ...]) -> str:
    """With a place for the value of each name: hooks say the same ones again and again. Raises UnfitError."""
    for name in names:
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise UnfitError(f"the header {name[:100]!r} cannot be sent")
    said = {name.lower() for name in names}
    unsaid = [(name, value) for name, value in usual if name.lower() not in said]
    _checked(unsaid)
    text = "".join([f"{name}: {value}\r\n" for name, value in unsaid]).replace("%", "%%")
    return text + "".join([f"{name.replace('%', '%%')}: %s\r\n" for name in names])
