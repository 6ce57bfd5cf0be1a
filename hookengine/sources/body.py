"""The body of a request as a JSON object."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson

from hookengine.domain.context import too_deep
from hookengine.domain.event import DEEPEST
from hookengine.errors import InvalidEvent


def parsed(body: bytes) -> Any:
    """Raises InvalidEvent for what is not JSON, or nested too deeply to be walked over."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The request body must be JSON: {error}. JSON has no comments and no trailing commas."
        raise InvalidEvent({"body": [message]}) from error
    if too_deep(document, DEEPEST):
        raise InvalidEvent({"body": [f"Objects and lists may be nested {DEEPEST} deep, not deeper."]})
    return document


def parsed_object(body: bytes) -> dict[str, Any]:
    """Raises InvalidEvent."""
    document = parsed(body)
    if not isinstance(document, dict):
        raise InvalidEvent({"body": ["The request body must be a JSON object."]})
    return document


def form_payload(body: bytes) -> bytes:
    """The JSON text in the field `payload` of a form. Raises InvalidEvent."""
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
    except (ValueError, KeyError) as error:
        message = "A form must have the field `payload` with JSON in it; or send application/json."
        raise InvalidEvent({"body": [message]}) from error
    return payload.encode()
