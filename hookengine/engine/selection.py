"""Which hooks want an event."""

from __future__ import annotations

from collections.abc import Iterable

from hookengine.domain.context import Context, lookup
from hookengine.domain.hook import Hook, HookState


def select(hooks: Iterable[Hook], event_type: str, context: Context) -> list[Hook]:
    return [hook for hook in hooks if why_not(hook, event_type, context) is None]


def why_not(hook: Hook, event_type: str, context: Context) -> str | None:
    """The first thing that keeps the hook from matching, for people; None if it matches."""
    if hook.state is HookState.DISABLED:
        return "it is disabled"
    if not hook.wants(event_type):
        return f"it wants {', '.join(hook.events)}, not {event_type}"
    if hook.action_type is not None:
        action_type = lookup(context, "action.type")
        if hook.action_type != action_type:
            return f"it wants actions of type {hook.action_type}, not {action_type}"
    failing = hook.first_failing(context)
    if failing is not None:
        accepted = ", ".join(map(str, failing.accepted_values))
        return f"{failing.path} must be one of {accepted}"
    return None
