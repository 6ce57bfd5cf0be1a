"""What a hook would send for an event, without a store and without sending it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hookengine.domain import trial_views
from hookengine.domain.clock import Millis, as_text
from hookengine.domain.context import MISSING, Context, lookup, merge
from hookengine.domain.event import Event
from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable, VariableType
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.engine.lanes import lane_of
from hookengine.engine.preparing import prepare
from hookengine.engine.selection import why_not
from hookengine.engine.snapshot import snapshot
from hookengine.errors import TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.guard.vault import Brought

SAMPLE_COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
_DELIVERY = "dlv_preview"


class TakesSecrets(Protocol):
    """What a preview needs of the vault."""

    def refs(self, pipeline_id: int) -> Mapping[str, SecretRef]: ...

    def refs_of(self, hook_id: str) -> Mapping[str, SecretRef]: ...

    def take_out(self, data: Context) -> Brought: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`why_not` is None if the hook matches. Without a request either it does not match, or `error` says why.

    `before` are the requests that go before it.
    """

    hook: Hook
    why_not: str | None
    request: RenderedRequest | None = None
    before: tuple[RenderedRequest, ...] = ()
    lane: tuple[str, LanePolicy] | None = None
    error: TemplateError | None = None

    @property
    def check(self) -> RenderedRequest | None:
        """What the target will be asked once it was told."""
        confirming = None if self.request is None else self.request.confirming
        return None if confirming is None else confirming.request

    def shown(self) -> trial_views.Preview:
        """For people and programs: plain JSON values, secrets as their names in angle brackets."""
        error = self.error
        return {
            "hook": {"id": self.hook.id, "name": self.hook.name},
            "matches": self.why_not is None,
            "why_not": self.why_not,
            "before": [request.shown() for request in self.before],
            "request": None if self.request is None else self.request.shown(),
            "check": None if self.check is None else self.check.shown(),
            "lane": None if self.lane is None else {"key": self.lane[0], "policy": self.lane[1].value},
            "error": None
            if error is None
            else {
                "message": error.message,
                "field": error.field,
                "line": error.line,
                "column": error.column,
                "hint": error.hint,
            },
        }


def preview(
    hook: Hook,
    pipeline: Pipeline,
    event: Event,
    secrets: TakesSecrets,
    now: Millis,
    permissions: Permissions = Permissions(),  # noqa: B008  frozen
    *,
    ignore_conditions: bool = False,
) -> Preview:
    """As intake would do it for the first event of an action. Raises InvalidEvent, as intake would."""
    data = secrets.take_out(event.data).data
    event_id = event.id or "evt_preview"
    refs = {**secrets.refs(pipeline.id), **secrets.refs_of(hook.id)}
    view = snapshot(pipeline, {}, event, data, refs, event_id=event_id, now=now).view
    return preview_in(view, hook, pipeline, event, permissions, ignore_conditions=ignore_conditions)


def preview_in(
    view: Context,
    hook: Hook,
    pipeline: Pipeline,
    event: Event,
    permissions: Permissions,
    *,
    ignore_conditions: bool,
) -> Preview:
    """In a context that is there already."""
    reason = why_not_here(hook, pipeline, event, view)
    if reason is not None and not ignore_conditions:
        return Preview(hook=hook, why_not=reason)
    try:
        prepared = prepare(hook, permissions)
        before = tuple([prepared.render_part(part, view).request for part in range(len(hook.before))])
        rendered = prepared.render(view)
    except TemplateError as error:
        return Preview(hook=hook, why_not=reason, error=error)
    lane = lane_of(hook, rendered, (pipeline.id, str(event.action_id)), _DELIVERY, pipeline.team)
    return Preview(hook=hook, why_not=reason, request=rendered.request, before=before, lane=lane)


def why_not_here(hook: Hook, pipeline: Pipeline, event: Event, view: Context) -> str | None:
    """As selection puts it, with what stands where a condition fails."""
    if hook.pipeline_id not in (None, pipeline.id):
        return f"it belongs to pipeline {hook.pipeline_id}, not {pipeline.id}"
    reason = why_not(hook, event.type, view)
    failing = hook.first_failing(view)
    if reason is None or failing is None or not reason.startswith(failing.path):
        return reason
    value = lookup(view, failing.path)
    return f"{reason}, but {'nothing is there' if value is MISSING else f'is {value}'}"


def sample_event(
    event_type: str, pipeline: Pipeline, incoming_hooks: Iterable[IncomingHook], now: Millis
) -> dict[str, Any]:
    """An event as a platform might send it, with what the pipeline's incoming hooks would have parsed.

    What the pipeline's own context says stays as it is.
    """
    incoming = [hook for hook in incoming_hooks if hook.pipeline_id == pipeline.id and hook.active]
    document: dict[str, Any] = {
        "id": "evt_sample",
        "type": event_type,
        "occurred_at": as_text(now),
        "action": {
            "id": 41,
            "type": pipeline.operation,
            "number": 41,
            "pipeline": {"id": pipeline.id, "name": pipeline.name},
            "triggered_from": {
                "trigger_type": "hook",
                "name": incoming[0].name if incoming else "pull requests",
                "hook_parsed_variables": _variables(incoming),
            },
        },
    }
    for path, value in _AROUND:
        if lookup(pipeline.context, path) is MISSING:
            document = merge(document, _nested(path.split("."), value))
    return document


_AROUND: Sequence[tuple[str, Any]] = (
    ("application.id", 12),
    ("application.name", "shop"),
    ("application.source_provider.name", "github"),
    ("application.source_provider.access_token", "sample-access-token"),
    ("environment.id", 3),
    ("environment.name", "production"),
)
"""What platforms tell beside the action."""

_PLAUSIBLE: Mapping[str, Any] = {
    "sha": SAMPLE_COMMIT,
    "commit": SAMPLE_COMMIT,
    "branch": "main",
    "ref": "main",
    "tag": "v1.4.2",
    "version": "v1.4.2",
    "repo": "acme/shop",
    "project": "acme/shop",
    "owner": "acme",
    "url": "https://example.com/acme/shop",
    "email": "ada@example.com",
    "author": "ada",
    "user": "ada",
    "sender": "ada",
    "title": "Make the checkout faster",
    "message": "Make the checkout faster",
}
"""Sample values, by a part of a variable's name."""


def _variables(incoming: Sequence[IncomingHook]) -> dict[str, Any]:
    if not incoming:
        return {"commit_hash": SAMPLE_COMMIT}
    return {variable.name: _value(variable) for hook in incoming for variable in hook.variables}


def _value(variable: Variable) -> Any:
    if variable.default is not None:
        return variable.default
    match variable.type:
        case VariableType.INTEGER:
            return 7
        case VariableType.BOOLEAN:
            return True
        case VariableType.ARRAY:
            return ["sample"]
        case _:
            name = variable.name.lower()
            likely = (value for part, value in _PLAUSIBLE.items() if part in name)
            return next(likely, f"sample-{variable.name}")


def _nested(steps: Sequence[str], value: Any) -> dict[str, Any]:
    return {steps[0]: _nested(steps[1:], value) if len(steps) > 1 else value}
