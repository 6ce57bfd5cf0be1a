"""Definitions as the file words them: everything that can be said, said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from hookengine.domain.hook import Condition, Hook, HookRequest, HookState, LaneSpec, Signing
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable
from hookengine.domain.response import ResponseRule
from hookengine.domain.retry import RetryPolicy

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"))


def worded(thing: Pipeline | Hook | IncomingHook) -> dict[str, Any]:
    """Plain values; a hook of a preset is worded as the request it makes of it."""
    match thing:
        case Hook():
            return worded_hook(thing)
        case IncomingHook():
            return worded_incoming(thing)
    return asdict(thing)


def worded_hook(hook: Hook) -> dict[str, Any]:
    return {
        "name": hook.name,
        "pipeline": hook.pipeline_id,
        "preset": hook.preset,
        "with": dict(hook.params),
        "active": hook.state is not HookState.DISABLED,
        "action_type": hook.action_type,
        **worded_requests(hook),
        "confirm": hook.confirm is not None,
        "trigger_when": {"events": list(hook.events), "conditions": worded_conditions(hook.conditions)},
        "lane": worded_lane(hook.lane),
        "retry": worded_retry(hook.retry),
        "timeout": duration(round(hook.timeout * 1000)),
        "rate": hook.rate or None,
        "signing": worded_signing(hook.signing),
        "responses": [worded_response(rule) for rule in hook.responses],
    }


def worded_requests(hook: Hook) -> dict[str, Any]:
    """Of several, all of them; of one, what it is beside everything else that the hook says."""
    if not hook.before:
        return _worded_request(hook.requests[0])
    return {
        "requests": [
            {
                "name": request.name,
                **_worded_request(request),
                "once_per": "lane" if request.once_per_lane else None,
            }
            for request in hook.requests
        ]
    }


def _worded_request(request: HookRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "target_url": request.target_url,
        "settings": {
            "request_headers": [{"name": name, "value": value} for name, value in request.headers],
            "request_body": request.body,
        },
        "capture": {
            capture.name: {"path": capture.path, "optional": capture.optional} for capture in request.captures
        },
    }


def worded_incoming(hook: IncomingHook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "name": hook.name,
        "pipeline": hook.pipeline_id,
        "active": hook.active,
        "secret": hook.secret,
        "signature_header": hook.signature_header,
        "variables": [_variable(variable) for variable in hook.variables],
        "trigger_when": {
            "conditions": [
                {"type": "request_body", **condition} for condition in worded_conditions(hook.conditions)
            ]
        },
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "path": variable.path,
        "type": variable.type.value,
        "required": variable.required,
        "default_value": variable.default,
    }


def worded_conditions(conditions: tuple[Condition, ...]) -> list[dict[str, Any]]:
    return [
        {"path": condition.path, "accepted_values": list(condition.accepted_values)}
        for condition in conditions
    ]


def worded_lane(lane: LaneSpec | None) -> dict[str, Any] | None:
    return None if lane is None else {"policy": lane.policy.value, "key": lane.key}


def worded_retry(retry: RetryPolicy) -> dict[str, Any]:
    give_up = retry.give_up_after
    return {
        "waits": [duration(wait) for wait in retry.waits],
        "give_up_after": None if give_up is None else duration(give_up),
        "jitter": retry.jitter,
    }


def worded_signing(signing: Signing | None) -> dict[str, Any] | None:
    if signing is None:
        return None
    one = len(signing.secrets) == 1
    secrets: Mapping[str, Any] = {"secret": signing.secrets[0]} if one else {"secrets": list(signing.secrets)}
    return {**secrets, "scheme": signing.scheme.value}


def worded_response(rule: ResponseRule) -> dict[str, Any]:
    return {
        "status": list(rule.statuses),
        "headers": dict(rule.headers),
        "body": rule.body,
        "then": rule.then.value,
        "tries": rule.tries,
        "after": None if rule.after is None else duration(rule.after),
        "because": rule.because,
    }


def duration(millis: int) -> str:
    """In the largest unit that says it in whole numbers."""
    for size, unit in _UNITS:
        if millis % size == 0:
            return f"{millis // size}{unit}"
    return f"{millis}ms"
