"""Hooks, incoming hooks and pipelines as the documents they could be read from, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.response import ResponseRule
from hookengine.manifest.presets import Preset, Presets, shipped_presets
from hookengine.manifest.wording import (
    worded,
    worded_hook,
    worded_incoming,
    worded_requests,
    worded_response,
)

Rules = tuple[ResponseRule, ...]

_USUAL: Final = Hook(id="", revision=0, name="", target_url="", events=())
_PERHAPS: Final = ("action_type", "lane", "retry", "timeout", "rate", "signing")
"""What is left out of a document where it is as it usually is."""


def hook_document(hook: Hook, presets: Presets | None = None) -> dict[str, Any]:
    """What checking would make the same hook of, but for whether it is paused."""
    said = worded_hook(hook)
    document: dict[str, Any] = {
        "id": hook.id,
        **{key: said[key] for key in ("name", "active", "trigger_when")},
    }
    usual, rules = _USUAL, hook.responses
    if hook.preset is None:
        document |= request_document(hook)
    else:
        preset = (presets or shipped_presets()).get(hook.preset)
        document |= {"preset": preset.id, "with": _filled(hook, preset)}
        document |= {"confirm": True} if hook.confirm is not None else {}
        usual, rules = _as_preset(preset), _without_suffix(hook.responses, preset.rules)
    as_usual = worded_hook(usual)
    for key in _PERHAPS:
        if said[key] is not None and said[key] != as_usual[key]:
            document[key] = _said(said[key])
    if rules:
        document["responses"] = [_said(worded_response(rule)) for rule in rules]
    return document


def request_document(hook: Hook) -> dict[str, Any]:
    """The part of a plain hook that makes its request."""
    said = worded_requests(hook)
    return {key: value for key, value in said.items() if key != "capture" or value}


def incoming_document(hook: IncomingHook) -> dict[str, Any]:
    return {
        key: value for key, value in worded_incoming(hook).items() if key != "pipeline" and value is not None
    }


def pipeline_document(pipeline: Pipeline) -> dict[str, Any]:
    """Without its integration key, of which nobody has more than a digest."""
    return {key: value for key, value in worded(pipeline).items() if key != "integration_key_digest"}


def _filled(hook: Hook, preset: Preset) -> dict[str, Any]:
    """The blanks that somebody has filled."""
    usual = {name: param.default for name, param in preset.params.items()}
    return {
        name: value
        for name, value in hook.params.items()
        if name not in usual or not _same(value, usual[name])
    }


def _as_preset(preset: Preset) -> Hook:
    """What a hook of this preset says if it says nothing itself."""
    return replace(
        _USUAL,
        lane=preset.lane.spec() if preset.lane else None,
        retry=preset.retry.policy(),
        timeout=preset.timeout / 1000,
        rate=preset.rate or "",
    )


def _same(one: Any, other: Any) -> bool:
    """As JSON has it, where true is not 1."""
    return type(one) is type(other) and bool(one == other)


def _without_suffix(rules: Rules, suffix: Rules) -> Rules:
    own = len(rules) - len(suffix)
    return rules[:own] if rules[own:] == suffix else rules


def _said(value: Any) -> Any:
    """Without what a mapping says nothing by."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if inner not in (None, "", {})}
