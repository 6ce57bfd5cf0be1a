"""What the OpenAPI document shows of what happened, of replays, tokens and files."""

from __future__ import annotations

from typing import Any, Final

EVENT_ID: Final = "evt_01a2028e59827b7ca0d73b8f2a54d62e"
DELIVERY_ID: Final = "dlv_01a2028e598872b39196a362e14bbfad"
REPLAY_ID: Final = "rpl_01a2028e5e057f19b0788fb55971d90d"
ACTION_ID: Final = "41"
SHA: Final = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
_HOOK_ID: Final = "9e713a44-b495-50a9-8201-296b8954a96c"
_STARTED: Final = "2026-11-22T10:15:00.250Z"
_SENT: Final = "2026-11-22T10:15:00.412Z"

_PIPELINE: Final[dict[str, Any]] = {"id": 1, "name": "shop-deploy"}
_ACTION: Final[dict[str, Any]] = {"id": 41, "pipeline": _PIPELINE}
_EVENT: Final[dict[str, Any]] = {"id": EVENT_ID, "type": "action.started"}
_OWED: Final[dict[str, Any]] = {"id": _HOOK_ID, "name": "CI(build)", "delivery": DELIVERY_ID}
_LANE: Final[dict[str, Any]] = {
    "key": f'status:["api.github.com", "acme/shop", "{SHA}", "CI(build)"]',
    "policy": "latest",
}
_REQUEST: Final[dict[str, Any]] = {
    "method": "POST",
    "url": f"https://api.github.com/repos/acme/shop/statuses/{SHA}",
    "headers": [
        {"name": "authorization", "value": "Bearer <context:1:application.source_provider.access_token>"}
    ],
    "body": '{"state":"pending","context":"CI(build)"}',
}

SEND: Final[dict[str, Any]] = {
    "type": "action.started",
    "action": {"id": 41, "pipeline": 1, "triggered_from": {"hook_parsed_variables": {"commit_hash": SHA}}},
}
ACCEPTED: Final[dict[str, Any]] = {**_EVENT, "action": _ACTION, "hooks": [_OWED]}

_BRIEF: Final[dict[str, Any]] = {
    "id": DELIVERY_ID,
    "status": "delivered",
    "because": "",
    "event": _EVENT,
    "action": _ACTION,
    "hook": {"id": _HOOK_ID, "name": "CI(build)", "version": 1},
}
_TIMES: Final[dict[str, Any]] = {
    "repair_of": None,
    "check": False,
    "replay_of": None,
    "accepted_at": _STARTED,
    "ended_at": _SENT,
}
BRIEFLY: Final[dict[str, Any]] = {
    **_BRIEF,
    "part": None,
    "host": "api.github.com",
    "lane": _LANE,
    "sha": SHA,
    "attempts_made": 1,
    "last_outcome": "answered",
    "last_code": 201,
    "waits_for": None,
    "next_attempt_at": None,
    "superseded_by": None,
    **_TIMES,
}
_ATTEMPT: Final[dict[str, Any]] = {
    "number": 1,
    "started_at": _STARTED,
    "finished_at": _SENT,
    "outcome": "answered",
    "detail": {
        "status": 201,
        "headers": {"content-type": "application/json"},
        "body": '{"state":"pending"}',
        "renewed": False,
        "timing": {
            "address": "140.82.121.6",
            "dns": 1.9,
            "connect": 21.4,
            "tls": 24.8,
            "first_byte": 161.2,
            "total": 161.9,
        },
    },
    "certainty": "applied",
    "verdict": "accept",
    "because": None,
    "next_attempt_at": None,
    "closed_by": "holder",
    "late_outcome": None,
    "node": "node-1",
}
_STATE: Final[dict[str, Any]] = {**_BRIEF, **_TIMES, "state": "pending"}
_SHOWN: Final[dict[str, Any]] = {
    "lane": _LANE,
    "host": "api.github.com",
    "repository": "acme/shop",
    "sha": SHA,
    "context": "CI(build)",
    "sent": [_STATE],
    "shown": _STATE,
    "why": f"pending ({DELIVERY_ID}) was delivered",
    "confirmed": None,
    "more": [],
}
RUN: Final[dict[str, Any]] = {
    **_ACTION,
    "type": "deploy",
    "status": "in-progress",
    "number": 7,
    "open_since": _STARTED,
    "updated_at": _STARTED,
}
TOLD: Final[dict[str, Any]] = {
    **_EVENT,
    "action": _ACTION,
    "occurred_at": _STARTED,
    "accepted_at": _STARTED,
    "hooks": [_OWED],
}


def listed(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next": None}


DELIVERY: Final = {**BRIEFLY, "request": _REQUEST, "attempts": [_ATTEMPT]}
ATTEMPTS: Final = listed(_ATTEMPT)
REPLAYED: Final = {"id": "dlv_01a2028e5de67bf1a3e6cd034b39d38d", "replay_of": DELIVERY_ID}
CANCELLED: Final = {"id": DELIVERY_ID, "status": "cancelled"}
ACTION: Final = {
    **RUN,
    "context": SEND["action"],
    "events": [TOLD],
    "deliveries": [BRIEFLY],
    "targets": [_SHOWN],
    "more": [],
}
EVENT: Final = {**TOLD, "data": {"action": SEND["action"]}, "deliveries": [BRIEFLY], "more": []}
EXPLAINED: Final = {
    "event": _EVENT,
    "pipeline": _PIPELINE,
    "hooks": [
        {"id": _HOOK_ID, "name": "CI(build)", "matches": True, "why_not": None, "delivery": DELIVERY_ID}
    ],
}
COMMIT: Final = {"sha": SHA, "statuses": [_SHOWN], "warnings": [], "more": []}
DEPLOYMENTS: Final[dict[str, Any]] = {
    "scope": "account",
    "from": "2026-11-22T09:15:00.250Z",
    "to": "2026-11-22T11:15:00.250Z",
    "items": [],
    "next": None,
}
MANY: Final = {"q": "status:failed host:api.github.com", "since": "2h"}
ONE: Final = {"mode": "same"}
PLANNED: Final = {
    "count": 1,
    "at_least": False,
    "mode": "same",
    "samples": [{"delivery": DELIVERY_ID, "status": "failed", "request": _REQUEST, "problem": None}],
}
REPLAY: Final = {
    "id": REPLAY_ID,
    "state": "running",
    "mode": "same",
    "wanted": {"status": ["failed"], "host": ["api.github.com"], "since": _STARTED, "until": None},
    "per_minute": 300,
    "total": 1,
    "replayed": 0,
    "refused": 0,
    "problems": [],
    "created_at": _SENT,
    "ended_at": None,
}

_TOKEN: Final[dict[str, Any]] = {
    "id": "uc5f5ksonm3ttdfp",
    "name": "deploy bot",
    "scopes": ["emit"],
    "team": None,
    "pipeline": None,
    "created_at": _STARTED,
}
ASK_TOKEN: Final = {"name": "deploy bot", "scopes": ["emit"]}
TOKENS: Final = listed(_TOKEN)
NEW_TOKEN: Final = {**_TOKEN, "token": "hke_uc5f5ksonm3ttdfp_SECRET"}
_FILE: Final = "pipelines:\n  - id: 1\n    name: shop-deploy\n"
APPLY: Final = {"files": [{"name": "hooks.yaml", "text": _FILE}], "dry_run": True}
APPLIED: Final = {
    "dry_run": True,
    "changed": True,
    "summary": {"create": 1, "change": 0, "delete": 0, "unchanged": 0},
    "items": [
        {"verb": "create", "kind": "pipeline", "id": 1, "name": "shop-deploy", "pipeline": None, "fields": []}
    ],
}
EXPORTED: Final = _FILE
