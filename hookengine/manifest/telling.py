"""A plan as plain values: what the API answers and the command line shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hookengine.manifest.plan import Plan, Step, Verb


def told(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    counted = Counter(step.verb for step in plan.steps)
    return {
        "dry_run": dry_run,
        "changed": bool(plan.changes),
        "summary": {verb.value: counted[verb] for verb in Verb},
        "items": [_step(step) for step in plan.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "verb": step.verb.value,
        "kind": step.kind.value,
        "id": step.id,
        "name": step.name,
        "pipeline": step.pipeline,
        "fields": [
            {"field": field.field, "before": field.before, "after": field.after} for field in step.fields
        ],
    }
