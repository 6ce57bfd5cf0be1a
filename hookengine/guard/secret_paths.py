"""Where secrets stand in a context."""

from __future__ import annotations

from collections.abc import Iterable

import orjson


class SecretPaths:
    """`**.NAME` is every key of that name, and `**.NAME.OTHER` that key in it; anything else is one path.

    A path that is covered ends with one of the `last_keys`: it is cheaper to look at its key first.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        patterns = tuple(patterns)
        self._whole = frozenset(pattern for pattern in patterns if not pattern.startswith("**."))
        self._ends = tuple(pattern[2:] for pattern in patterns if pattern.startswith("**."))
        self.last_keys = frozenset(pattern.rpartition(".")[2] for pattern in patterns)
        written = {orjson.dumps(key)[1:] + b":" for key in self.last_keys}
        self._written = tuple(
            [key for key in written if not any(key.endswith(other) for other in written - {key})]
        )

    def may_stand_in(self, document: bytes) -> bool:
        """Whether the JSON of a context, as orjson writes it, has a key that ends with one of the `last_keys`."""
        return any(map(document.__contains__, self._written))

    def cover(self, path: str) -> bool:
        return path in self._whole or f".{path}".endswith(self._ends)
