"""Schemas of the API's document, closed: a field that they do not name is a mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator


def closed(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Draft202012Validator:
    components = {"schemas": _closed(document["components"]["schemas"])}
    return Draft202012Validator({**_closed(schema), "components": components})


def _closed(said: Any) -> Any:
    if isinstance(said, list):
        return [_closed(each) for each in said]
    if not isinstance(said, Mapping):
        return said
    inner = {name: _closed(value) for name, value in said.items()}
    named = isinstance(said.get("properties"), Mapping) and said.get("type") == "object"
    return {"additionalProperties": False, **inner} if named else inner
