"""Rows as the tables would hold them, with every column that the judge looks at."""

from __future__ import annotations

from typing import Any

MutableRow = dict[str, Any]


def lane_row(lane_id: int, key: str, policy: str) -> MutableRow:
    empty = dict.fromkeys(("head_id", "waits_for", "token", "scope", "newest", "shown_id", "shown_digest"))
    return {"id": lane_id, "key": key, "policy": policy, "due_at": 0, "next_seq": 1, "cleared_to": 0, **empty}


def delivery_row(delivery_id: str, event_id: str, now: int) -> MutableRow:
    empty = dict.fromkeys(("ended_at", "superseded_by", "replay_of", "repair_of"))
    zero = {"attempts": 0, "doubt_until": 0, "because": "", "status": "queued"}
    return {
        "id": delivery_id,
        "event_id": event_id,
        "hook_id": "hook_1",
        "accepted_at": now,
        **empty,
        **zero,
    }


def attempt_row(delivery_id: str, number: int, token: int, node: str, now: int) -> MutableRow:
    names = "finished_at outcome detail certainty verdict because next_at closed_by late_outcome late_at"
    return {
        "delivery_id": delivery_id,
        "number": number,
        "token": token,
        "node": node,
        "started_at": now,
        **dict.fromkeys(names.split()),
    }
