"""Shapes the three hosts' APIs share: moments, pages, web addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
PAGE_LIMIT = 100


def stamp(millis: int, *, timespec: str = "seconds") -> str:
    """RFC 3339 in UTC, with the `Z` all three write."""
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def page(rows: Sequence[T], parameters: Mapping[str, str], *, size_name: str, size: int) -> list[T]:
    """One page, `page` counting from 1 and at most 100 rows long; a senseless number means the default."""
    length = min(_count(parameters.get(size_name, "")) or size, PAGE_LIMIT)
    first = ((_count(parameters.get("page", "")) or 1) - 1) * length
    return list(rows[first : first + length])


def web_host(url: str) -> str:
    """The host an http(s) address names; empty when it is no such address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0
