"""Rows as a parameter of a statement. They come as JSON, column by column: to make arrays of them costs this process
five times as much."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""In JSON. PostgreSQL stores none: what somebody else's words hold must not fail what they are about."""

Rows = Sequence[tuple[Any, ...]]

_TEXT, INT, _BOOL = "text", "bigint", "boolean"
_OTHERS = {  # columns that are no numbers
    **dict.fromkeys(
        (
            *("id", "key", "type", "digest", "document", "answer", "path", "sealed", "event_id", "hook_id"),
            *("request_id", "host", "account", "rate", "replay_of", "repair_of", "status", "superseded_by"),
            *("because", "head_id", "waits_for", "scope", "shown_id", "shown_digest", "outcome", "detail"),
            *("certainty", "verdict", "closed_by", "delivery_id", "node", "passed", "late_outcome"),
            *("provides", "name", "value", "action_id", "context", "policy", "sha"),
        ),
        _TEXT,
    ),
    "cancel_asked": _BOOL,
}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A statement over rows called `v`; `columns` are theirs, in order."""

    text: str
    columns: tuple[str, ...]
    types: tuple[str, ...]

    @classmethod
    def of(cls, text: str, columns: str, **types: str) -> Part:
        names = tuple(columns.replace(" ", "").split(","))
        return cls(text, names, tuple(types.get(name, _OTHERS.get(name, INT)) for name in names))

    def numbered(self, place: int) -> str:
        """`place` is that of its parameter."""
        names = ", ".join(self.columns)
        arrays = ", ".join(f"{name} {kind}[]" for name, kind in zip(self.columns, self.types, strict=True))
        return self.text.format(
            rows=f"json_to_record(${place}::json) AS c ({arrays}),"
            f" unnest({', '.join(f'c.{name}' for name in self.columns)}) AS v ({names})"
        )

    def json(self, rows: Rows) -> str:
        """{column: [value, ..]}"""
        columns = dict(zip(self.columns, zip(*rows, strict=True), strict=True))
        text = orjson.dumps(columns).decode()
        return _NUL.sub(r"\1\\ufffd", text) if "u0000" in text else text
