"""What templates saw of an event of the past."""

from __future__ import annotations

from collections.abc import Mapping

from hookengine.domain.context import Context
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import SecretRef
from hookengine.engine.snapshot import snapshot
from hookengine.store.records import Told


def recalled(told: Told, pipeline: Pipeline, secrets: Mapping[str, SecretRef]) -> Context:
    """With the pipeline's context and secrets as they are now."""
    remembered: Context = {}
    view: Context = {}
    for event in (*told.before, told.event):
        taken = snapshot(
            pipeline, remembered, event, event.data, secrets, event_id=event.id or "", now=told.accepted_at
        )
        remembered, view = taken.remembered, taken.view
    return view
