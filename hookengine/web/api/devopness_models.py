"""What Devopness calls our things. Its field names stop here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hookengine.domain.attempt import OUTCOMES
from hookengine.domain.clock import Millis, as_datetime
from hookengine.domain.context import MISSING, lookup
from hookengine.domain.definition import Note
from hookengine.domain.hook import Condition, Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.errors import InvalidDefinition
from hookengine.manifest.wording import worded_incoming, worded_requests
from hookengine.store.care import SentRequest
from hookengine.web.api.devopness_views import (
    AroundHook,
    DevopnessHook,
    DevopnessHookRelation,
    DevopnessRequest,
    DevopnessRequestRelation,
)

ACTION_TYPES: Final = (
    "check_provisioned",
    "configure",
    "delete",
    "deploy",
    "get_status",
    "provision",
    "reload",
    "remove",
    "restart",
    "rotate_key",
    "start",
    "stop",
)
MASK: Final = "*****"
ALGORITHM: Final = "sha256"

_USUAL_ACTION: Final = "deploy"
_OURS: Final = "hookengine"
"""The key of an answer under which stands what Devopness has no words for."""

_READ_ONLY: Final = frozenset(
    {
        "type",
        "url",
        "is_auto_generated",
        "verify_ssl",
        "project_id",
        "environment_id",
        "pipeline_id",
        "resource_type",
        "resource_id",
        "secret",
        "created_by_user",
        "created_at",
        "updated_at",
        _OURS,
    }
)


_FIELDS: Final = {"variables": "settings.variables", "signature_header": "secret_header_name"}
_FIELD: Final = re.compile(r"^(variables|signature_header)")


# What comes in


def outgoing_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """As our own document of a hook. What clients send back of an answer although it cannot be changed is
    passed over. Raises InvalidDefinition."""
    ours = _without(document, _READ_ONLY)
    if ours.pop("requires_secret", None):
        raise InvalidDefinition(
            {
                "requires_secret": [
                    "Is for incoming hooks; `signing` names what outgoing requests are signed with."
                ]
            }
        )
    for name in ("secret_algorithm", "secret_header_name"):
        ours.pop(name, None)
    action_type = ours.get("action_type")
    if action_type is not None and action_type not in ACTION_TYPES:
        raise InvalidDefinition({"action_type": [f"Must be one of {', '.join(ACTION_TYPES)}."]})
    return ours


def incoming_in(document: Mapping[str, Any]) -> tuple[dict[str, Any], bool | None]:
    """As our own document of an incoming hook, and whether its senders have to sign; None if it says nothing.

    Raises InvalidDefinition.
    """
    ours = _without(document, _READ_ONLY | {"action_type"})
    signed = ours.pop("requires_secret", None)
    if signed is not None and not isinstance(signed, bool):
        raise InvalidDefinition({"requires_secret": ["Must be true or false."]})
    if ours.pop("secret_algorithm", None) not in (None, ALGORITHM):
        raise InvalidDefinition({"secret_algorithm": [f"Must be {ALGORITHM}."]})
    if (header := ours.pop("secret_header_name", None)) is not None:
        ours["signature_header"] = header
    settings = ours.pop("settings", None)
    if isinstance(settings, Mapping):
        ours |= _variables_in(settings)
    elif settings is not None:
        raise InvalidDefinition({"settings": ["Must be an object."]})
    if "trigger_when" in ours:
        ours["trigger_when"] = _trigger_in(ours["trigger_when"])
    return ours, signed


@contextmanager
def told_as_devopness() -> Iterator[None]:
    """What is wrong with an incoming hook is told by the names that its sender knows."""
    try:
        yield
    except InvalidDefinition as error:
        raise InvalidDefinition(
            {_FIELD.sub(lambda name: _FIELDS[name[0]], field): said for field, said in error.errors.items()}
        ) from error


def _variables_in(settings: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(settings) - {"variables"})
    if unknown:
        raise InvalidDefinition(
            {f"settings.{name}": ["Is not a setting of incoming hooks."] for name in unknown}
        )
    variables = settings.get("variables")
    if not isinstance(variables, list):
        return {} if variables is None else {"variables": variables}
    return {
        "variables": [
            _variable_in(variable) if isinstance(variable, Mapping) else variable for variable in variables
        ]
    }


def _variable_in(variable: Mapping[str, Any]) -> dict[str, Any]:
    """Devopness's own client sends the default of an integer as 5.0."""
    ours = _without(variable, frozenset())
    default = ours.get("default_value")
    if ours.get("type") == "integer" and isinstance(default, float) and default.is_integer():
        ours["default_value"] = int(default)
    return ours


def _trigger_in(trigger: Any) -> Any:
    """A condition's `name` is for Devopness's own pages, and `events` are those of outgoing hooks."""
    if not isinstance(trigger, Mapping):
        return trigger
    if trigger.get("events"):
        raise InvalidDefinition({"trigger_when.events": ["Are for outgoing hooks."]})
    said = _without(trigger, frozenset({"events"}))
    conditions = said.get("conditions")
    if isinstance(conditions, list):
        said["conditions"] = [
            _without(condition, frozenset({"name"})) if isinstance(condition, Mapping) else condition
            for condition in conditions
        ]
    return said


def _without(document: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """Nor what is null: to Devopness that is the same as not being said."""
    return {key: value for key, value in document.items() if key not in keys and value is not None}


# What goes out


def hook_out(hook: Hook, pipeline: Pipeline | None, note: Note) -> DevopnessHookRelation:
    """A HookRelation of an outgoing hook."""
    settings = {
        "request_headers": [{"name": name, "value": value} for name, value in hook.headers],
        "request_body": _body_out(hook.body),
    }
    return {
        "id": hook.id,
        "name": hook.name,
        "type": "out",
        "action_type": _action_type(hook.action_type, pipeline),
        "url": None,
        "target_url": hook.target_url,
        "requires_secret": False,
        "active": hook.state is HookState.ACTIVE,
        "pipeline_id": hook.pipeline_id,
        "settings": {key: value for key, value in settings.items() if value is not None},
        "trigger_when": {
            "events": list(hook.events),
            "conditions": [_condition_out(condition, {}) for condition in hook.conditions],
        },
        **_around(pipeline, note),
        "hookengine": {
            "state": hook.state.value,
            "because": note.because or None,
            "managed_by": note.managed_by,
            "version": hook.revision,
            "action_type": hook.action_type,
            "method": hook.method,
            "preset": hook.preset,
            "before": worded_requests(hook)["requests"][:-1] if hook.before else [],
        },
    }


def incoming_out(
    hook: IncomingHook, pipeline: Pipeline | None, note: Note, url: str
) -> DevopnessHookRelation:
    """A HookRelation of an incoming hook."""
    variables = worded_incoming(hook)["variables"]
    conditions = [_condition_out(condition, {"type": "request_body"}) for condition in hook.conditions]
    return {
        "id": hook.id,
        "name": hook.name,
        "type": "in",
        "action_type": _action_type(None, pipeline),
        "url": url,
        "target_url": None,
        "requires_secret": hook.secret is not None,
        "active": hook.active,
        "pipeline_id": hook.pipeline_id,
        "settings": {"variables": variables},
        "trigger_when": {"conditions": conditions},
        **_around(pipeline, note),
        "hookengine": {"managed_by": note.managed_by},
    }


def with_secret(
    relation: DevopnessHookRelation, hook: Hook | IncomingHook, secret: str | None
) -> DevopnessHook:
    """A Hook made of a HookRelation. The secret is told once, at creation."""
    signed = isinstance(hook, IncomingHook) and hook.secret is not None
    return {
        **relation,
        "secret": secret or MASK,
        "secret_algorithm": ALGORITHM if signed else None,
        "secret_header_name": hook.signature_header if isinstance(hook, IncomingHook) and signed else None,
        "created_by_user": None,
    }


def request_relation(sent: SentRequest) -> DevopnessRequestRelation:
    """A RequestRelation: an attempt of ours."""
    timing = sent.detail.get("timing") or {}
    return {
        "id": f"{sent.delivery_id}-{sent.attempt}",
        "hook_id": sent.hook_id,
        "action_id": _whole(sent.action_id),
        "retry_of": f"{sent.delivery_id}-{sent.attempt - 1}" if sent.attempt > 1 else None,
        "ip_address": timing.get("address") or "",
        "created_at": time_out(sent.started_at),
        "updated_at": time_out(sent.started_at if sent.finished_at is None else sent.finished_at),
    }


def request_out(sent: SentRequest, hook: DevopnessHookRelation | None) -> DevopnessRequest:
    """A HookRequest. Where Devopness knows objects and numbers only, there is an empty one or 0 if we have
    none; what really came is told beside it."""
    shown = sent.request.shown() if sent.request else None
    body = shown["body"] if shown else None
    answered = "status" in sent.detail
    return {
        **request_relation(sent),
        "url": shown["url"] if shown else "",
        "request_headers": {
            header["name"]: header["value"] for header in (shown["headers"] if shown else ())
        },
        "request_body": _object(body),
        "response_status_code": sent.detail["status"] if answered else 0,
        "response_headers": sent.detail.get("headers") or {},
        "response_body": _object(sent.detail.get("body")),
        "hook": hook,
        "hookengine": {
            "delivery_id": sent.delivery_id,
            "attempt": sent.attempt,
            "method": shown["method"] if shown else None,
            "outcome": None if sent.outcome is None else OUTCOMES[sent.outcome],
            "detail": {**sent.detail},
            "request_body": body,
        },
    }


def sent_id(identity: str) -> tuple[str, int] | None:
    """The delivery and the number of the attempt that a hook request's id is made of."""
    delivery_id, _, number = identity.rpartition("-")
    return (delivery_id, int(number)) if delivery_id and number.isdecimal() and len(number) < 9 else None


def time_out(instant: Millis) -> str:
    """In UTC with microseconds."""
    return as_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def application_of(pipeline: Pipeline) -> int:
    return _number(pipeline, "application.id")


def _around(pipeline: Pipeline | None, note: Note) -> AroundHook:
    return {
        "is_auto_generated": False,
        "verify_ssl": True,
        "project_id": _number(pipeline, "project.id"),
        "environment_id": _number(pipeline, "environment.id"),
        "resource_type": "application",
        "resource_id": _number(pipeline, "application.id"),
        "created_at": time_out(note.created_at),
        "updated_at": time_out(note.updated_at),
    }


def _number(pipeline: Pipeline | None, path: str) -> int:
    """Of the pipeline's context; 0 if it says none."""
    value = MISSING if pipeline is None else lookup(pipeline.context, path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _action_type(said: str | None, pipeline: Pipeline | None) -> str:
    """Clients refuse a list with one that Devopness does not have."""
    likely = said or (pipeline.operation if pipeline else "")
    return likely if likely in ACTION_TYPES else _USUAL_ACTION


def _condition_out(condition: Condition, more: Mapping[str, Any]) -> dict[str, Any]:
    """Values as texts, which mean the same: clients refuse a list with a number or null among them."""
    values: Sequence[Any] = condition.accepted_values
    if more:
        accepted = [value if isinstance(value, bool | int | str) else json.dumps(value) for value in values]
    else:
        accepted = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return {**more, "path": condition.path, "accepted_values": accepted}


def _body_out(body: Any) -> Any:
    """An object, a list of objects, or text."""
    if isinstance(body, list) and not all(isinstance(item, dict) for item in body):
        return json.dumps(body)
    return body


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _object(text: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
