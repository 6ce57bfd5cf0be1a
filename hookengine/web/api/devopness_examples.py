"""What the OpenAPI document shows of Devopness's shapes."""

from __future__ import annotations

from typing import Any, Final

HOOK_ID: Final = "019ac0de-7b1e-7d3a-9c55-0f2f6f0a3b11"
REQUEST_ID: Final = "dlv_019ac0de7b207d3a9c550f2f6f0a3b12-1"

_TARGET: Final = (
    "https://api.github.com/repos/acme/shop/statuses/"
    "{{ action.triggered_from.hook_parsed_variables.commit_hash }}"
)
_SETTINGS: Final[dict[str, Any]] = {
    "request_headers": [
        {"name": "Authorization", "value": "Bearer {{ application.source_provider.access_token }}"}
    ],
    "request_body": {
        "state": "pending",
        "target_url": "https://app.devopness.com/actions/{{ action.id }}",
        "context": "ci/devopness(build)",
    },
}

CREATE: Final[dict[str, Any]] = {
    "name": "CI(build)",
    "action_type": "deploy",
    "target_url": _TARGET,
    "settings": _SETTINGS,
    "trigger_when": {"events": ["action.started"]},
}
UPDATE: Final[dict[str, Any]] = {"id": HOOK_ID, "name": "CI(build), on main", "active": True}

RELATION: Final[dict[str, Any]] = {
    "id": HOOK_ID,
    "name": "CI(build)",
    "type": "out",
    "action_type": "deploy",
    "url": None,
    "target_url": _TARGET,
    "requires_secret": False,
    "active": True,
    "pipeline_id": 1,
    "settings": _SETTINGS,
    "trigger_when": {"events": ["action.started"], "conditions": []},
    "is_auto_generated": False,
    "verify_ssl": True,
    "project_id": 0,
    "environment_id": 3,
    "resource_type": "application",
    "resource_id": 12,
    "created_at": "2026-11-22T10:15:00.250000Z",
    "updated_at": "2026-11-22T10:15:00.250000Z",
    "hookengine": {
        "state": "active",
        "because": None,
        "managed_by": "api",
        "version": 1,
        "action_type": "deploy",
        "method": "POST",
        "preset": None,
    },
}
HOOK: Final[dict[str, Any]] = {
    **RELATION,
    "secret": "*****",
    "secret_algorithm": None,
    "secret_header_name": None,
    "created_by_user": None,
}

REQUEST_RELATION: Final[dict[str, Any]] = {
    "id": REQUEST_ID,
    "hook_id": HOOK_ID,
    "action_id": 41,
    "retry_of": None,
    "ip_address": "140.82.121.6",
    "created_at": "2026-11-22T10:16:00.000000Z",
    "updated_at": "2026-11-22T10:16:00.310000Z",
}
REQUEST: Final[dict[str, Any]] = {
    **REQUEST_RELATION,
    "url": "https://api.github.com/repos/acme/shop/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e",
    "request_headers": {"Authorization": "Bearer <context:1:application.source_provider.access_token>"},
    "request_body": {"state": "pending", "context": "ci/devopness(build)"},
    "response_status_code": 201,
    "response_headers": {"content-type": "application/json"},
    "response_body": {"state": "pending"},
    "hook": RELATION,
    "hookengine": {
        "delivery_id": "dlv_019ac0de7b207d3a9c550f2f6f0a3b12",
        "attempt": 1,
        "method": "POST",
        "outcome": "answered",
        "detail": {"status": 201},
        "request_body": '{"state":"pending","context":"ci/devopness(build)"}',
    },
}

HOOK_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An outgoing hook has `target_url`, an incoming one `requires_secret`.",
    "properties": {
        "name": {"type": "string", "maxLength": 60},
        "active": {"type": "boolean"},
        "action_type": {"type": "string"},
        "target_url": {"type": "string", "maxLength": 4096},
        "requires_secret": {"type": "boolean"},
        "secret_algorithm": {"type": "string", "enum": ["sha256"]},
        "secret_header_name": {"type": "string", "maxLength": 64},
        "settings": {"type": "object"},
        "trigger_when": {"type": "object"},
    },
}
