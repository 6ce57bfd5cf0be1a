"""A receiver of CDEvents over CloudEvents.

Rules: CDEvents 0.5.1 (its schemas, where its prose says otherwise) and the HTTP binding of CloudEvents 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.records import Place, Received, Reply

CONTEXT = frozenset({"specversion", "id", "source", "type", "timestamp", "schemaUri", "chainId", "links"})
REQUIRED_CONTEXT = ("specversion", "id", "source", "type", "timestamp")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
OUTCOMES = ("success", "failure", "cancel", "error")
SPECVERSION = "1.0"


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the content of a subject may and must have."""

    allowed: Collection[str]
    required: Collection[str] = ()


RUN = ("pipelineName", "uri")
TYPES: Mapping[str, Content] = {
    "dev.cdevents.pipelinerun.queued.0.3.0": Content(allowed=RUN),
    "dev.cdevents.pipelinerun.started.0.3.0": Content(allowed=RUN, required=RUN),
    "dev.cdevents.pipelinerun.finished.0.3.0": Content(allowed=(*RUN, "outcome", "errors")),
    "dev.cdevents.service.deployed.0.3.0": Content(
        allowed=("artifactId", "environment"), required=("artifactId", "environment")
    ),
    "dev.cdevents.service.upgraded.0.3.0": Content(
        allowed=("artifactId", "environment"), required=("artifactId", "environment")
    ),
}


class CDEventsReceiver(Host):
    """Takes binary and structured mode. An id that a source sends again counts once and is answered the same.

    Subjects are shown as (source, subject, kind) with the last predicate, or the outcome once it is finished.
    """

    name = "CDEvents"
    api = "/events"

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self.events: dict[tuple[str, str], Mapping[str, Any]] = {}

    def answer(self, received: Received) -> Reply:
        if self.tokens and self.credential(received) not in self.tokens:
            return _told(401, "Unauthorized")
        if received.method != "POST":
            return _told(405, "Method Not Allowed")
        try:
            attributes, event = _opened(received)
        except ValueError as error:
            return _told(400, str(error))
        if wrong := _wrong(attributes, event):
            return _told(400, wrong)
        identity = (attributes["source"], attributes["id"])
        if identity not in self.events:
            self.events[identity] = event
            self._take(event)
        return Reply(status=202, body="")

    def _take(self, event: Mapping[str, Any]) -> None:
        context, subject = event["context"], event["subject"]
        kind, predicate = context["type"].split(".")[2:4]
        content = subject["content"]
        state = content.get("outcome", "success") if predicate == "finished" else predicate
        place = Place(context["source"], subject["id"], kind)
        self.show(place, state=state, description=content.get("errors"), url=content.get("uri"))


def _opened(received: Received) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The attributes of the CloudEvent, and the CDEvent that is its data. Raises ValueError."""
    media_type = received.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/cloudevents+json":
        envelope = received.json()
        if not isinstance(envelope, dict) or not isinstance(envelope.get("data"), dict):
            raise ValueError("an event in structured mode is an object with its data in it")
        return envelope, envelope["data"]
    if media_type != "application/json":
        raise ValueError(f"content type {media_type!r} is neither application/json nor cloudevents+json")
    attributes = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in received.headers.items()
        if name.startswith("ce-")
    }
    event = received.json()
    if not isinstance(event, dict):
        raise ValueError("the event is not an object")
    return attributes, event


def _wrong(attributes: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    if event.keys() - {"context", "subject", "customData", "customDataContentType"}:
        return "an event has context, subject, customData and customDataContentType, and nothing more"
    context, subject = event.get("context"), event.get("subject")
    if not isinstance(context, dict) or not isinstance(subject, dict):
        return "context and subject are objects"
    if wrong := _wrong_context(context) or _wrong_subject(subject, TYPES[context["type"]]):
        return wrong
    if attributes.get("specversion") != SPECVERSION:
        return f"specversion is not {SPECVERSION}"
    expected = {
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": subject["id"],
        "time": context["timestamp"],
    }
    for name, value in expected.items():
        if attributes.get(name) != value and not (name in ("subject", "time") and name not in attributes):
            return f"the attribute {name} of the CloudEvent is not that of the CDEvent"
    return ""


def _wrong_context(context: Mapping[str, Any]) -> str:
    for name in REQUIRED_CONTEXT:
        if not isinstance(context.get(name), str) or not context[name]:
            return f"context.{name} is required"
    if unknown := context.keys() - CONTEXT:
        return f"context has no {min(unknown)}"
    if context["type"] not in TYPES:
        return f"the type {context['type']} is not known"
    if not MOMENT.fullmatch(context["timestamp"]):
        return "context.timestamp is not a date and time of RFC 3339"
    return ""


def _wrong_subject(subject: Mapping[str, Any], shape: Content) -> str:
    content = subject.get("content")
    if not isinstance(subject.get("id"), str) or not subject["id"] or not isinstance(content, dict):
        return "a subject has an id and a content"
    if unknown := content.keys() - set(shape.allowed):
        return f"the content of this subject has no {min(unknown)}"
    for name in shape.required:
        if not content.get(name):
            return f"the content of this subject needs {name}"
    if content.get("outcome", OUTCOMES[0]) not in OUTCOMES:
        return f"outcome is one of {', '.join(OUTCOMES)}"
    return ""


def _told(status: int, message: str) -> Reply:
    return Reply(status=status, body={"message": message})
