"""Which lane a request belongs in: what it would change outside; and whom it goes to, on whose account."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.request import RenderedRequest
from hookengine.domain.status_call import recognise
from hookengine.engine.rendering import Rendered
from hookengine.store.calls import ActionKey

Lane = tuple[str, LanePolicy]
"""(key, policy). Frozen when the delivery is accepted."""

_LONGEST: Final = 500
"""Characters of a name that a database looks things up by: PostgreSQL has no index for names of 3 KB."""


def lane_of(hook: Hook, rendered: Rendered, action: ActionKey, delivery_id: str, team: str = "") -> Lane:
    """What the hook says, else the status a commit-status call writes, else the hook's own line per action.

    Several requests of a hook go one after another, whatever each is. A lane has one policy for good, so no hook
    with another one may come into the lane a status has usually. Pipelines share lanes, but not those of
    different teams: what is newer in a lane supersedes what waits, so one team could keep another's news from
    ever being told.
    """
    policy = hook.lane.policy if hook.lane else None
    if policy is LanePolicy.NONE:
        return f"delivery:{delivery_id}", LanePolicy.NONE
    if policy is not None and rendered.lane_key is not None:
        owner = f"named:{policy}" if not team else f"named by {json.dumps(team)}:{policy}"
        return _storable(f"{owner}:{rendered.lane_key}"), policy
    call = None if hook.before else recognise(rendered.request)
    if call is not None:
        key = call.lane_key if not team else f"{call.lane_key} by {json.dumps(team)}"
        if policy in (None, LanePolicy.LATEST):
            return _storable(key), LanePolicy.LATEST
        return _storable(key.replace("status:", f"status-{policy}:", 1)), policy
    pipeline_id, action_id = action
    return f"hook:{hook.id}:{pipeline_id}:{action_id}", policy or LanePolicy.ORDERED


def account_of(request: RenderedRequest, host: str, hook_id: str) -> str:
    """Whose limits it counts towards at this host: those of the credentials it carries, else of its hook."""
    return _storable(f"{host} {' '.join(sorted(request.secrets)) or hook_id}")


def _storable(name: str) -> str:
    """The rest of a long name gives way to its digest. PostgreSQL stores no NUL."""
    name = name.replace("\0", "\ufffd")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]} {hashlib.sha256(name.encode(errors='replace')).hexdigest()}"
