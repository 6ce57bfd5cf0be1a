"""Where secrets stand in a context."""

from __future__ import annotations

from collections.abc import Iterable


class SecretPaths:
    """`**.NAME` is every key of that name, and `**.NAME.OTHER` that key in it; anything else is one path."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        patterns = tuple(patterns)
        self._whole = frozenset(pattern for pattern in patterns if not pattern.startswith("**."))
        self._ends = tuple(pattern[2:] for pattern in patterns if pattern.startswith("**."))
        self._keys = frozenset(pattern.rpartition(".")[2] for pattern in patterns)

    def may_cover(self, key: str) -> bool:
        """Whether a path that ends with this key can be covered; cheaper than to put the path together."""
        return key in self._keys or "." in key

    def cover(self, path: str) -> bool:
        return path in self._whole or f".{path}".endswith(self._ends)
