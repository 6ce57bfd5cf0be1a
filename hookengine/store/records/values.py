"""Values inside of stored JSON, in each database's words, and how times are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, String, cast, func
from sqlalchemy.dialects.postgresql import ARRAY

from hookengine.domain.clock import Millis, as_text


def inside(connection: Connection, column: ColumnElement[Any], *path: str) -> ColumnElement[Any]:
    """The value at a path of a column that holds JSON text, as text; NULL if nothing is there."""
    if connection.dialect.name == "postgresql":
        return cast(column, JSON).op("#>>", return_type=String())(cast(list(path), ARRAY(String)))
    return cast(func.json_extract(column, "$." + ".".join(path)), String)


def cut(**lists: tuple[Sequence[Any], int]) -> list[str]:
    """The names of those lists that have more than may be shown of them."""
    return [name for name, (found, most) in lists.items() if len(found) > most]


def time(instant: Millis | None) -> str | None:
    try:
        return None if instant is None else as_text(instant)
    except (ValueError, OverflowError):
        return None
