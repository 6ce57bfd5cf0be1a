"""Hooks, incoming hooks and pipelines as the documents they could be read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook, HookState, LaneSpec, Signing
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable
from hookengine.domain.response import ResponseRule
from hookengine.domain.retry import RetryPolicy
from hookengine.manifest.presets import Preset, Presets, shipped_presets

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_USUAL_TIMEOUT: Final = 30_000


def hook_document(hook: Hook, presets: Presets | None = None) -> dict[str, Any]:
    """What checking would make the same hook of; what is as it usually is, is left out of it."""
    if hook.preset is None:
        return {**_shared(hook), **_plain(hook)}
    return {**_shared(hook), **_of_preset(hook, (presets or shipped_presets()).get(hook.preset))}


def request_document(hook: Hook) -> dict[str, Any]:
    """The part of a plain hook that makes its request."""
    headers = [{"name": name, "value": value} for name, value in hook.headers]
    return {
        "method": hook.method,
        "target_url": hook.target_url,
        "settings": {"request_headers": headers, "request_body": hook.body},
    }


def incoming_document(hook: IncomingHook) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": hook.id,
        "name": hook.name,
        "active": hook.active,
        "signature_header": hook.signature_header,
        "variables": [variable_document(variable) for variable in hook.variables],
        "trigger_when": {"conditions": _conditions(hook.conditions)},
    }
    return document if hook.secret is None else {**document, "secret": hook.secret}


def variable_document(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "path": variable.path,
        "type": variable.type.value,
        "required": variable.required,
        "default_value": variable.default,
    }


def pipeline_document(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "operation": pipeline.operation,
        "team": pipeline.team,
        "application": pipeline.application,
        "environment": pipeline.environment,
        "context": dict(pipeline.context),
    }


def _shared(hook: Hook) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": hook.id,
        "name": hook.name,
        "active": hook.state is not HookState.DISABLED,
        "trigger_when": {"events": list(hook.events), "conditions": _conditions(hook.conditions)},
    }
    if hook.action_type is not None:
        document["action_type"] = hook.action_type
    if hook.signing is not None:
        document["signing"] = _signing(hook.signing)
    return document


def _plain(hook: Hook) -> dict[str, Any]:
    document = request_document(hook)
    if hook.lane is not None:
        document["lane"] = _lane(hook.lane)
    if hook.retry != RetryPolicy():
        document["retry"] = _retry(hook.retry)
    if round(hook.timeout * 1000) != _USUAL_TIMEOUT:
        document["timeout"] = duration(round(hook.timeout * 1000))
    if hook.rate:
        document["rate"] = hook.rate
    if hook.responses:
        document["responses"] = [_response(rule) for rule in hook.responses]
    return document


def _of_preset(hook: Hook, preset: Preset) -> dict[str, Any]:
    """Only where it differs from what its preset says."""
    usual = {name: param.default for name, param in preset.params.items()}
    filled = {name: value for name, value in hook.params.items() if name not in usual or value != usual[name]}
    document: dict[str, Any] = {"preset": preset.id, "with": filled}
    if hook.lane is not None and hook.lane != (preset.lane.spec() if preset.lane else None):
        document["lane"] = _lane(hook.lane)
    if hook.retry != preset.retry.policy():
        document["retry"] = _retry(hook.retry)
    if round(hook.timeout * 1000) != preset.timeout:
        document["timeout"] = duration(round(hook.timeout * 1000))
    if hook.rate and hook.rate != preset.rate:
        document["rate"] = hook.rate
    if own := _without_suffix(hook.responses, preset.rules):
        document["responses"] = [_response(rule) for rule in own]
    return document


def _without_suffix(rules: Sequence[ResponseRule], suffix: Sequence[ResponseRule]) -> Sequence[ResponseRule]:
    return rules[: len(rules) - len(suffix)] if rules[len(rules) - len(suffix) :] == suffix else rules


def _conditions(conditions: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"path": condition.path, "accepted_values": list(condition.accepted_values)}
        for condition in conditions
    ]


def _lane(lane: LaneSpec) -> dict[str, Any]:
    return {"policy": lane.policy.value, **({"key": lane.key} if lane.key else {})}


def _retry(retry: RetryPolicy) -> dict[str, Any]:
    document: dict[str, Any] = {"waits": list(map(duration, retry.waits)), "jitter": float(retry.jitter)}
    if retry.give_up_after is not None:
        document["give_up_after"] = duration(retry.give_up_after)
    return document


def _signing(signing: Signing) -> dict[str, Any]:
    names = list(signing.secrets)
    named: Mapping[str, Any] = {"secret": names[0]} if len(names) == 1 else {"secrets": names}
    return {**named, "scheme": signing.scheme.value}


def _response(rule: ResponseRule) -> dict[str, Any]:
    document: dict[str, Any] = {"status": list(rule.statuses), "then": rule.then.value}
    said = {"headers": dict(rule.headers), "body": rule.body, "because": rule.because, "tries": rule.tries}
    document |= {name: value for name, value in said.items() if value}
    if rule.after is not None:
        document["after"] = duration(rule.after)
    return document


def duration(millis: Millis) -> str:
    """In the largest unit that it is a whole number of."""
    return next(f"{millis // size}{unit}" for unit, size in _UNITS if millis % size == 0)
