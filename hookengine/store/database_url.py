"""What the URL of a database says. Where it is shown, its password is not."""

from __future__ import annotations

import urllib.parse
from typing import Final

POSTGRES: Final = "postgresql://"


def is_postgres(url: str) -> bool:
    return url.startswith(POSTGRES)


def shown(url: str) -> str:
    """Name and place of a PostgreSQL database, without user and password."""
    parts = urllib.parse.urlsplit(url)
    name = urllib.parse.unquote(parts.path.lstrip("/"))
    hosts = parts.netloc.rpartition("@")[2]
    return f"PostgreSQL database '{name}'{f' at {hosts}' if hosts else ''}"
