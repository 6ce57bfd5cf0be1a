"""Checked texts become hooks, and their templates are tried."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hookengine.domain.hook import GITHUB_SIGNATURE, Hook, HookRequest, HookState, LanePolicy, SigningScheme
from hookengine.engine.preparing import prepare
from hookengine.errors import TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.manifest.checking import Findings, did_you_mean, nearest, unknown_name
from hookengine.manifest.document import Location
from hookengine.manifest.presets import Preset
from hookengine.manifest.requests import PlainRequestText, PlainText, PresetRequest, SeveralText
from hookengine.manifest.schema import HookText, PresetHookText

_NAMESPACE = uuid.UUID("5b1f0c1e-6f0a-5d0e-9a51-6a2f3c0d7e88")
_ONE_BLANK = re.compile(r"\{\{\s*params\.(\w+)\s*(\|(?!\s*d(efault)?\b)[^{}]*)?\}\}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SECRET = re.compile(r"(?<![\w.'\"])secrets\.(\w+)")
_STEP = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")

NAMED_UNDER = "secrets are named under `secrets:`"


def plain_hook(text: PlainText | SeveralText, pipeline_id: int | None) -> Hook:
    lane = text.lane.spec() if text.lane else None
    return Hook(
        **_shared(text, text.name, tuple(text.trigger_when.events), pipeline_id),
        **_requests([request.request() for request in _plain_requests(text)]),
        lane=lane,
        retry=text.retry.policy(),
        timeout=text.timeout / 1000 if text.timeout else 30.0,
        responses=tuple(response.rule() for response in text.responses),
        rate=text.rate or "",
    )


def _plain_requests(text: PlainText | SeveralText) -> list[PlainRequestText]:
    if isinstance(text, SeveralText):
        return text.requests
    return [
        PlainRequestText(
            method=text.method, target_url=text.target_url, settings=text.settings, capture=text.capture
        )
    ]


def _requests(requests: Sequence[HookRequest]) -> dict[str, Any]:
    """The fields of a hook that say them; `once_per` counts for those before the last."""
    *before, own = requests
    return {
        "before": tuple(before),
        "method": own.method,
        "target_url": own.target_url,
        "headers": own.headers,
        "body": own.body,
        "captures": own.captures,
    }


def preset_hook(text: PresetHookText, preset: Preset, pipeline_id: int | None) -> Hook:
    params = {name: param.default for name, param in preset.params.items()} | text.with_
    requests = [_filled(request, params) for request in preset.all_requests]
    confirm = None
    if text.confirm and preset.confirm is not None:
        match = _without_empty_blanks(preset.confirm.match, params)
        confirm = preset.confirm.confirm(requests[-1].headers, match)
    lane = text.lane or preset.lane
    retry = text.retry if text.retry.model_fields_set else preset.retry
    return Hook(
        **_shared(
            text, text.name or preset.name, tuple(text.trigger_when.events or preset.events), pipeline_id
        ),
        **_requests(requests),
        confirm=confirm,
        lane=lane.spec() if lane else None,
        retry=retry.policy(),
        timeout=(text.timeout or preset.timeout) / 1000,
        responses=tuple(response.rule() for response in (*text.responses, *preset.responses)),
        rate=text.rate or preset.rate or "",
        secrets_in_body=preset.secrets_in_body,
        preset=preset.id,
        params=params,
    )


def _filled(request: PresetRequest, params: Mapping[str, Any]) -> HookRequest:
    """A field of the request that is nothing but an empty blank, filtered or not, is left out of it."""
    return HookRequest(
        name=request.name,
        method=request.method,
        target_url=request.url,
        headers=tuple(
            (header.name, header.value)
            for header in request.headers
            if not _is_empty_blank(header.value, params)
        ),
        body=_without_empty_blanks(request.body, params),
        captures=request.captures,
        once_per_lane=request.once_per is not None,
    )


def _shared(text: HookText, name: str, events: tuple[str, ...], pipeline_id: int | None) -> dict[str, Any]:
    return {
        "id": text.id or identity(pipeline_id, name, events),
        "revision": 0,
        "name": name,
        "events": events,
        "pipeline_id": pipeline_id,
        "action_type": text.action_type,
        "conditions": tuple(condition.condition() for condition in text.trigger_when.conditions),
        "signing": text.signing.signing() if text.signing else None,
        "state": HookState.ACTIVE if text.active else HookState.DISABLED,
    }


def identity(pipeline_id: int | None, name: str, events: tuple[str, ...]) -> str:
    """The same for the same pipeline, name and events, so that a changed file changes the hook it means."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([pipeline_id, name, sorted(set(events))])))


def _is_empty_blank(template: Any, params: Mapping[str, Any]) -> bool:
    if not isinstance(template, str):
        return False
    match = _ONE_BLANK.fullmatch(template.strip())
    return match is not None and match[1] in params and params[match[1]] is None


def _without_empty_blanks(body: Any, params: Mapping[str, Any]) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        key: _without_empty_blanks(value, params)
        for key, value in body.items()
        if not _is_empty_blank(value, params)
    }


def check_blanks(text: PresetHookText, preset: Preset, at: Location, findings: Findings) -> bool:
    """Whether all required blanks are filled, and no others."""
    at = (*at, "with")
    unknown = [name for name in text.with_ if name not in preset.params]
    for name in unknown:
        likely = did_you_mean(name, preset.params)
        findings.wrong((*at, name), f"{preset.id} has no blank '{name}'{likely}", key=True)
    meant = {nearest(name, preset.params) for name in unknown}
    empty = [name for name, param in preset.params.items() if param.required and text.with_.get(name) is None]
    for name in empty:
        if name not in meant:
            findings.wrong((*at, name), f"{preset.id} needs it: {preset.params[name].help}")
    return not unknown and not empty


def check_templates(hook: Hook, at: Location, permissions: Permissions, findings: Findings) -> None:
    try:
        prepare(hook, permissions)
    except TemplateError as error:
        where = f", line {error.line}, column {error.column} of the template" if error.line else ""
        field, message = _field(hook, error)
        findings.wrong((*at, *field), message + where, hint=error.hint)


def check_confirm(text: PresetHookText, preset: Preset, at: Location, findings: Findings) -> None:
    if text.confirm and preset.confirm is None:
        findings.wrong((*at, "confirm"), f"{preset.id} does not say where its host could be asked")


def check_lane(hook: Hook, at: Location, findings: Findings) -> None:
    """Requests of one event leave one after another, and what their answers tell is known in their lane."""
    policy = hook.lane.policy if hook.lane else None
    place = (*at, "lane") if hook.preset is None or policy else at
    if hook.before and policy is LanePolicy.LATEST:
        if len(hook.before) > 1 or not hook.before[0].once_per_lane:
            findings.wrong(
                place,
                "in a `latest` lane one request may go before the last one, and has to say `once_per: lane`; "
                "more leave in an `ordered` one",
            )
    elif hook.before and policy is LanePolicy.NONE:
        findings.wrong(place, "several requests leave in a lane: there is none with `none`")
    elif hook.confirm is not None and policy not in (None, LanePolicy.LATEST):
        findings.wrong(
            place, f"only in a `latest` lane what is shown can be confirmed, not in one that is `{policy}`"
        )
    elif hook.captures and policy is LanePolicy.NONE:
        findings.wrong(place, "what is captured is known in a lane: there is none with `none`")


def check_secrets(value: Any, at: Location, names: Collection[str], findings: Findings) -> None:
    """Of all templates inside of `value`: a secret that nobody has would only be missed by an event."""
    if isinstance(value, str):
        for found in _TEMPLATE.findall(value):
            for name in _SECRET.findall(found):
                if name not in names:
                    findings.wrong(at, unknown_name("secret", name, names), hint=NAMED_UNDER)
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        check_secrets(member, (*at, step), names, findings)


def check_signing(hook: Hook, at: Location, names: Collection[str], findings: Findings) -> None:
    header = GITHUB_SIGNATURE if hook.signing and hook.signing.scheme is SigningScheme.GITHUB else ""
    if header in {name.lower() for request in hook.requests for name, _ in request.headers}:
        findings.wrong((*at, "signing"), f"the hook sets {header} itself", hint="leave one of both out")
    for name in hook.signing.secrets if hook.signing else ():
        if name not in names:
            findings.wrong((*at, "signing"), unknown_name("secret", name, names), hint=NAMED_UNDER)


def _field(hook: Hook, error: TemplateError) -> tuple[Location, str]:
    """Where the template stands in the file: a preset's own fields do not stand there at all."""
    steps = tuple(int(number) if number else name for number, name in _STEP.findall(error.field))
    if steps[:1] == ("params",):
        return ("with", *steps[1:]), error.message
    if hook.preset is None:
        return steps, error.message
    return ("preset",), f"{error.field}: {error.message}" if error.field else error.message
