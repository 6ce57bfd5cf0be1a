"""The context of one event: the pipeline's, under what the action is remembered by, under what it brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hookengine.domain.clock import Millis
from hookengine.domain.context import MARK, Context, merge
from hookengine.domain.event import STATUS, Event, Lifecycle
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import SecretRef
from hookengine.domain.struct import struct
from hookengine.engine.measuring import size_of
from hookengine.guard.vault import NAMED

_MARKED = orjson.dumps(MARK)


@struct()
class Snapshot:
    """`remembered` is what the action is known by from now on, `document` that as JSON, `view` what templates see.

    `size` is how many bytes of the view events and the pipeline's context can have brought: what lies over
    something else counts with it.
    """

    remembered: dict[str, Any]
    document: bytes
    view: dict[str, Any]
    size: int


def snapshot(
    pipeline: Pipeline,
    remembered: Context,
    event: Event,
    data: Context,
    secrets: Mapping[str, SecretRef],
    *,
    event_id: str,
    now: Millis,
) -> Snapshot:
    """`data` is the event's data without secrets; `secrets` are those of templates by their names."""
    known = merge(remembered, data)
    told, facts = event.facts(event_id, now), pipeline.facts()
    action = dict(known["action"])
    sent = data["action"].get("status")
    action["status"] = sent or STATUS.get(event.type) or action.get("status")
    action["pipeline"] = facts
    action.setdefault("type", pipeline.operation)
    if event.type == Lifecycle.STARTED and "started_at" not in data["action"]:
        action["started_at"] = told["occurred_at"]
    known["action"] = action
    document = orjson.dumps(known)
    seen = _with_refs(known, pipeline.id, secrets) if _MARKED in document else known
    view = merge(_with_refs(pipeline.context, pipeline.id, secrets), seen) if pipeline.context else dict(seen)
    brought = view.get("pipeline")
    view["pipeline"] = merge(brought, facts) if isinstance(brought, Mapping) else facts
    view["event"] = told
    view["secrets"] = secrets
    size = len(document) + (size_of(pipeline.context) if pipeline.context else 0)
    return Snapshot(remembered=known, document=document, view=view, size=size)


def _with_refs(value: Any, pipeline_id: int, secrets: Mapping[str, SecretRef]) -> Any:
    """The context with a SecretRef in the place of each mark."""
    if isinstance(value, dict):
        if len(value) == 1 and MARK in value:
            name = str(value[MARK])
            if name.startswith(NAMED):
                return secrets.get(name.removeprefix(NAMED), SecretRef(name))
            return SecretRef(f"context:{pipeline_id}:{name}")
        return {key: _with_refs(item, pipeline_id, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_refs(item, pipeline_id, secrets) for item in value]
    return value
