"""What is defined, as a file that wishes for exactly this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.response import ResponseRule
from hookengine.domain.retry import RetryPolicy
from hookengine.errors import ConfigError, NotFound, Problem
from hookengine.manifest.hooks import identity
from hookengine.manifest.presets import Preset, Presets
from hookengine.manifest.schema import ResponseText
from hookengine.manifest.wording import (
    duration,
    worded_hook,
    worded_incoming,
    worded_lane,
    worded_response,
    worded_retry,
    worded_signing,
)
from hookengine.store.standing import Standing

_PLAIN: Final = worded_hook(Hook(id="", revision=0, name="", target_url="", events=()))
_INCOMING: Final = worded_incoming(IncomingHook(id="", name="", pipeline_id=0))
_PIPELINE: Final = asdict(Pipeline(id=0, name=""))
_VARIABLE: Final = {"type": "string", "required": False, "default_value": None}
_RULE: Final = {"because": ResponseText.model_fields["because"].default}
_RETRY: Final = worded_retry(RetryPolicy())


def exported(standing: Standing, presets: Presets) -> dict[str, Any]:
    """Applied to the same database, it changes nothing. Raises ConfigError for a preset that is not known here."""
    defined = standing.definitions
    return {
        "pipelines": [
            {
                **_pipeline(pipeline),
                **_unless_empty(
                    incoming_hooks=[
                        _incoming(hook) for hook in defined.incoming_hooks if hook.pipeline_id == pipeline.id
                    ],
                    hooks=_hooks(standing, presets, pipeline.id),
                ),
            }
            for pipeline in defined.pipelines
        ],
        **_unless_empty(hooks=_hooks(standing, presets, None)),
    }


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    said = asdict(pipeline)
    digest = said.pop("integration_key_digest")
    key = {"integration_key": {"digest": digest}} if digest else {}
    return {"id": said.pop("id"), "name": said.pop("name"), **_unusual(said, _PIPELINE), **key}


def _incoming(hook: IncomingHook) -> dict[str, Any]:
    said = _unusual({**worded_incoming(hook), "pipeline": 0}, _INCOMING)
    for variable in said.get("variables", []):
        for name, usual in _VARIABLE.items():
            if variable[name] == usual:
                del variable[name]
    return said


def _hooks(standing: Standing, presets: Presets, pipeline_id: int | None) -> list[dict[str, Any]]:
    found = (hook for hook in standing.definitions.hooks if hook.pipeline_id == pipeline_id)
    return [_hook(hook, standing.because, presets) for hook in found]


def _hook(hook: Hook, because: Mapping[str, str], presets: Presets) -> dict[str, Any]:
    """One that is off for a reason was not written so: applied again, it stays off."""
    off = hook.state is HookState.DISABLED and hook.id not in because
    own = {"id": hook.id} if hook.id != identity(hook.pipeline_id, hook.name, hook.events) else {}
    said = _plain(hook) if hook.preset is None else _of_preset(hook, _preset(hook, presets))
    head: dict[str, Any] = {key: said.pop(key) for key in ("preset", "name") if key in said}
    return {
        **own,
        **head,
        **({"active": False} if off else {}),
        **_unless_empty(action_type=hook.action_type),
        **said,
        **_unless_empty(signing=_signing(hook)),
    }


def _plain(hook: Hook) -> dict[str, Any]:
    said = worded_hook(hook)
    for name in ("pipeline", "preset", "with", "active", "action_type", "signing", "confirm"):
        del said[name]
    said = {"name": said["name"], **_unusual(said, _PLAIN)}
    return {**said, **_retried(hook), **_answered(hook.responses), **_in_lane(hook)}


def _of_preset(hook: Hook, preset: Preset) -> dict[str, Any]:
    """Only what it says beside its preset."""
    own = len(hook.responses) - len(preset.responses)
    when = {
        **_unless_empty(events=list(hook.events) if hook.events != tuple(preset.events) else []),
        **_unless_empty(conditions=worded_hook(hook)["trigger_when"]["conditions"]),
    }
    usual = {name: param.default for name, param in preset.params.items()}
    given = {
        name: value
        for name, value in hook.params.items()
        if name not in usual or not _same(value, usual[name])
    }
    timeout = round(hook.timeout * 1000)
    return {
        "preset": preset.id,
        **_unless_empty(name="" if hook.name == preset.name else hook.name),
        "with": given,
        **({"confirm": True} if hook.confirm is not None else {}),
        **_unless_empty(trigger_when=when, rate="" if hook.rate == (preset.rate or "") else hook.rate),
        **({} if hook.retry == preset.retry.policy() else {"retry": _without_none(worded_retry(hook.retry))}),
        **({} if timeout == preset.timeout else {"timeout": duration(timeout)}),
        **_answered(hook.responses[:own]),
        **({} if preset.lane and hook.lane == preset.lane.spec() else _in_lane(hook)),
    }


def _preset(hook: Hook, presets: Presets) -> Preset:
    try:
        return presets.get(hook.preset or "")
    except NotFound:
        said = f"hook {hook.id} is of the preset {hook.preset}, which this version does not have"
        raise ConfigError([Problem(message=said)]) from None


def _retried(hook: Hook) -> dict[str, Any]:
    return _unless_empty(retry=_unusual(worded_retry(hook.retry), _RETRY))


def _in_lane(hook: Hook) -> dict[str, Any]:
    lane = worded_lane(hook.lane)
    return {} if lane is None else {"lane": lane if lane["key"] else lane["policy"]}


def _signing(hook: Hook) -> Any:
    said = worded_signing(hook.signing)
    if said is None or said["scheme"] != "standard":
        return said
    return said.get("secret") or {"secrets": said["secrets"]}


def _answered(rules: Iterable[ResponseRule]) -> dict[str, Any]:
    return _unless_empty(
        responses=[
            {
                **_unless_empty(**{**worded_response(rule), "because": ""}),
                **_unusual({"because": rule.because}, _RULE),
            }
            for rule in rules
        ]
    )


def _unusual(said: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Only what differs from what is usual, mappings inside too."""
    found: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, dict) and isinstance(usual.get(key), dict) and usual[key]:
            if inner := _unusual(value, usual[key]):
                found[key] = inner
        elif key not in usual or not _same(value, usual[key]):
            found[key] = value
    return found


def _same(one: Any, other: Any) -> bool:
    """As JSON has it, where true is not 1."""
    return type(one) is type(other) and bool(one == other)


def _unless_empty(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
