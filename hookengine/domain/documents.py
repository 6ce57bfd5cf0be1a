"""Hooks and pipelines as plain JSON values, and back: what the store keeps of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from hookengine.domain.capture import Capture
from hookengine.domain.hook import (
    Condition,
    Confirm,
    Hook,
    HookRequest,
    HookState,
    LanePolicy,
    LaneSpec,
    Signing,
    SigningScheme,
)
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable, VariableType
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import RetryPolicy

_NOT_OF_A_REVISION = ("id", "revision", "state")
_LATER = ("before", "captures", "confirm")
"""Said only where there is something to say: hooks that were written before stay what they were."""


def hook_to_json(hook: Hook) -> str:
    """What makes a revision of it: everything but its id, its revision and whether it is on."""
    said = {
        name: value
        for name, value in _fields(hook).items()
        if name not in _NOT_OF_A_REVISION and (value or name not in _LATER)
    }
    return _text(said)


def hook_from_json(text: str, *, hook_id: str, revision: int, state: HookState) -> Hook:
    values = json.loads(text)
    lane = values.pop("lane")
    retry = values.pop("retry")
    signing = values.pop("signing", None)  # what was written before hooks were signed does not say
    return Hook(
        id=hook_id,
        revision=revision,
        state=state,
        events=tuple(values.pop("events")),
        headers=_headers(values.pop("headers")),
        before=tuple(_request(request) for request in values.pop("before", ())),
        captures=_captures(values.pop("captures", ())),
        confirm=_confirm(values.pop("confirm", None)),
        conditions=_conditions(values.pop("conditions")),
        lane=None if lane is None else LaneSpec(policy=LanePolicy(lane["policy"]), key=lane["key"]),
        retry=RetryPolicy(**{**retry, "waits": tuple(retry["waits"])}),
        signing=None if signing is None else _signing(signing),
        responses=tuple(_rule(rule) for rule in values.pop("responses")),
        **values,
    )


def pipeline_to_json(pipeline: Pipeline) -> str:
    return _text(_fields(pipeline))


def pipeline_from_json(text: str) -> Pipeline:
    return Pipeline(**json.loads(text))


def incoming_to_json(hook: IncomingHook) -> str:
    return _text(_fields(hook))


def incoming_from_json(text: str) -> IncomingHook:
    values = json.loads(text)
    variables = tuple(
        Variable(**{**variable, "type": VariableType(variable["type"])})
        for variable in values.pop("variables")
    )
    return IncomingHook(variables=variables, conditions=_conditions(values.pop("conditions")), **values)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    """Nothing is copied, as `asdict` would: tens of thousands of hooks may be compared at a time."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _headers(values: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in values)


def _captures(values: Iterable[Any]) -> tuple[Capture, ...]:
    return tuple(Capture(**value) for value in values)


def _request(values: dict[str, Any]) -> HookRequest:
    headers, captures = values.pop("headers"), values.pop("captures")
    return HookRequest(headers=_headers(headers), captures=_captures(captures), **values)


def _confirm(values: dict[str, Any] | None) -> Confirm | None:
    if values is None:
        return None
    headers, match = _headers(values.pop("headers")), _headers(values.pop("match"))
    return Confirm(headers=headers, match=match, **values)


def _conditions(values: list[dict[str, Any]]) -> tuple[Condition, ...]:
    return tuple(
        Condition(path=value["path"], accepted_values=tuple(value["accepted_values"])) for value in values
    )


def _signing(values: dict[str, Any]) -> Signing:
    return Signing(secrets=tuple(values["secrets"]), scheme=SigningScheme(values["scheme"]))


def _rule(values: dict[str, Any]) -> ResponseRule:
    return ResponseRule(**{**values, "statuses": tuple(values["statuses"]), "then": Ruling(values["then"])})
