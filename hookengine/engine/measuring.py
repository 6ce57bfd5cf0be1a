"""How large a context is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from hookengine.domain.context import Context


def size_of(context: Context) -> int:
    """Bytes that it has as JSON, secrets by their names."""
    try:
        return len(orjson.dumps(context, default=_plain))
    except TypeError:  # numbers beyond 64 bits
        return len(json.dumps(context, default=_plain))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
