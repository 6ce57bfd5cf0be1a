"""CloudEvents 1.0 over HTTP: one structured event, a batch of them, or one in binary mode."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from hookengine.errors import HookEngineError, InvalidEvent
from hookengine.sources.body import parsed, parsed_object
from hookengine.sources.facts import Fact, Table, moment, read_facts, text

CloudEvent = Mapping[str, Any]
"""In the shape of the JSON format: attributes, and `data` if there is any. A time is as it was sent."""

FAMILY = "application/cloudevents"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
SPECVERSION = "1.0"

_PREFIX = "ce-"
_JSON = re.compile(r"[a-z0-9.-]+/(json|[a-z0-9.-]+\+json)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ATTRIBUTES: Table = {
    "specversion": Fact("specversion", text, required=True),
    "id": Fact("id", text, required=True),
    "source": Fact("source", text, required=True),
    "type": Fact("type", text, required=True),
    "subject": Fact("subject", text),
    "datacontenttype": Fact("datacontenttype", text),
    "time": Fact("time", moment),
}


class NotACloudEvent(InvalidEvent):
    """A request, or one event of a batch, is not what the specification asks for."""


class UnknownFormat(HookEngineError):
    """A CloudEvent, or its data, comes in a format other than JSON."""


def opened(body: bytes, headers: Mapping[str, str]) -> list[CloudEvent]:
    """`headers` have lower-case names. Raises NotACloudEvent, UnknownFormat."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media_type == STRUCTURED:
            return [_checked(parsed_object(body))]
        if media_type == BATCH:
            return _batch(parsed(body))
        if media_type.startswith(FAMILY):
            raise UnknownFormat(f"of the formats of CloudEvents this takes {STRUCTURED} and {BATCH}")
        return [_checked(_binary(body, headers, media_type))]
    except NotACloudEvent:
        raise
    except InvalidEvent as error:
        raise NotACloudEvent(error.errors) from error


def _batch(documents: Any) -> list[CloudEvent]:
    if not isinstance(documents, list):
        raise NotACloudEvent({"body": ["A batch is a list of events."]})
    events: list[CloudEvent] = []
    wrong: dict[str, list[str]] = {}
    for index, document in enumerate(documents):
        try:
            events.append(_checked(document))
        except InvalidEvent as error:
            wrong.update({f"[{index}].{field}": messages for field, messages in error.errors.items()})
    if wrong:
        raise NotACloudEvent(wrong)
    return events


def _binary(body: bytes, headers: Mapping[str, str], media_type: str) -> dict[str, Any]:
    attributes = {
        name.removeprefix(_PREFIX): _unescaped(name, value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if not attributes:
        message = f"This is no CloudEvent: it has no header ce-specversion, and its type is not {STRUCTURED}."
        raise NotACloudEvent({"content-type": [message]})
    if not body:
        return attributes
    if media_type and not _JSON.fullmatch(media_type):
        raise UnknownFormat(f"data must be JSON, not {media_type[:100]}")
    return {**attributes, "datacontenttype": media_type, "data": parsed(body)}


def _unescaped(name: str, value: str) -> str:
    """Quotes were allowed in older versions; what is percent-encoded must be UTF-8."""
    if (quoted := _QUOTED.fullmatch(value.strip())) is not None:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise NotACloudEvent({name: [f"{name} must be percent-encoded UTF-8."]}) from error


def _checked(event: Any) -> CloudEvent:
    if not isinstance(event, dict):
        raise InvalidEvent({"event": ["A CloudEvent is a JSON object."]})
    attributes = read_facts(event, _ATTRIBUTES)
    if attributes["specversion"] != SPECVERSION:
        message = f"specversion must be {SPECVERSION}."
        raise InvalidEvent({"specversion": [message]})
    if "data_base64" not in event:
        return event
    if "data" in event:
        raise InvalidEvent({"data_base64": ["There may be data or data_base64, not both."]})
    return {**event, "data": _decoded(event["data_base64"], attributes.get("datacontenttype", ""))}


def _decoded(value: Any, media_type: str) -> Any:
    """JSON, or nothing that concerns us."""
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidEvent({"data_base64": ["data_base64 must be Base64."]}) from error
    return parsed(data) if _JSON.fullmatch(media_type.partition(";")[0].strip().lower()) else None
