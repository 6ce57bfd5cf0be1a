"""Why a delivery that waits is not sent now."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import WAITING
from hookengine.domain.gate import SUSPECTS, account_key, hook_key, host_key
from hookengine.domain.hook import HookState

_WAITING = [status.value for status in WAITING]


def waits_for(row: Row[Any]) -> str | None:
    """In words. None if it does not wait, or for its time only: `next_try` says when that is."""
    if row.status not in _WAITING:
        return None
    if row.head_id != row.id:
        return "what is before it in its lane"
    if row.hook_state == HookState.PAUSED:
        return (
            f"its hook, which is paused: {row.hook_because}"
            if row.hook_because
            else "its hook, which is paused"
        )
    if row.waits_for == hook_key(row.hook_id):
        return "other requests of its hook"
    if row.waits_for == host_key(row.host):
        return f"{row.host}, which has not answered" if row.trips else f"other requests to {row.host}"
    if row.waits_for == account_key(row.account):
        return f"what {row.host} allows its credential"
    if row.waits_for == SUSPECTS:
        return "another delivery that a node went away with"
    return None


def next_try(row: Row[Any]) -> Millis | None:
    """When it is due, or what it waits for gives way; None if nobody knows, or nothing is to come."""
    if row.status not in _WAITING or row.head_id != row.id or row.hook_state == HookState.PAUSED:
        return None
    if row.waits_for is None:
        return int(row.due_at)
    return None if row.open_at is None else max(int(row.open_at), int(row.due_at))
