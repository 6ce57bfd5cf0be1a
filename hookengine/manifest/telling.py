"""A plan as plain values: what the API answers and the command line shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from hookengine.manifest.plan import Plan, Step, Verb


class ChangedField(TypedDict):
    field: str
    before: Any
    after: Any


class AppliedStep(TypedDict):
    """What becomes of one thing. `pipeline` is the name of the one it belongs to."""

    verb: str
    kind: str
    id: int | str
    name: str
    pipeline: str | None
    fields: list[ChangedField]


class AppliedPlan(TypedDict):
    """`summary` counts by verb. `changed`: whether there is anything but what is unchanged."""

    dry_run: bool
    changed: bool
    summary: dict[str, int]
    items: list[AppliedStep]


def told(plan: Plan, *, dry_run: bool) -> AppliedPlan:
    counted = Counter(step.verb for step in plan.steps)
    return {
        "dry_run": dry_run,
        "changed": bool(plan.changes),
        "summary": {verb.value: counted[verb] for verb in Verb},
        "items": [_step(step) for step in plan.steps],
    }


def _step(step: Step) -> AppliedStep:
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
