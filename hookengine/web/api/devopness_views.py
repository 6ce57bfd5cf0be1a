"""Devopness's shapes as we answer them; `hookengine` holds what it has no words for."""

from __future__ import annotations

from typing import (
    Any,
    NotRequired,  # pydantic reads no other before Python 3.12
)

from typing_extensions import TypedDict

from hookengine.domain.attempt import OutcomeWord


class OursOfHook(TypedDict):
    """Of incoming hooks only `managed_by`. `before`: the requests that go before this one."""

    managed_by: str
    state: NotRequired[str]
    because: NotRequired[str | None]
    version: NotRequired[int]
    action_type: NotRequired[str | None]
    method: NotRequired[str]
    preset: NotRequired[str | None]
    before: NotRequired[list[dict[str, Any]]]


class AroundHook(TypedDict):
    is_auto_generated: bool
    verify_ssl: bool
    project_id: int
    environment_id: int
    resource_type: str
    resource_id: int
    created_at: str
    updated_at: str


class HookFacts(TypedDict):
    id: str
    name: str
    type: str
    action_type: str
    url: str | None
    target_url: str | None
    requires_secret: bool
    active: bool
    pipeline_id: int | None
    settings: dict[str, Any]
    trigger_when: dict[str, Any]


class DevopnessHookRelation(HookFacts, AroundHook):
    """`type` is `in` or `out`; `url` is that of an incoming hook, `target_url` that of an outgoing one."""

    hookengine: OursOfHook


class DevopnessHook(DevopnessHookRelation):
    """`secret` is told once, when an incoming hook is created; later it is masked."""

    secret: str
    secret_algorithm: str | None
    secret_header_name: str | None
    created_by_user: None


class DevopnessRequestRelation(TypedDict):
    id: str
    hook_id: str
    action_id: int | None
    retry_of: str | None
    ip_address: str
    created_at: str
    updated_at: str


class OursOfRequest(TypedDict):
    delivery_id: str
    attempt: int
    method: str | None
    outcome: OutcomeWord | None
    detail: dict[str, Any]
    request_body: str | None


class DevopnessRequest(DevopnessRequestRelation):
    url: str
    request_headers: dict[str, str]
    request_body: dict[str, Any]
    response_status_code: int
    response_headers: dict[str, str]
    response_body: dict[str, Any]
    hook: DevopnessHookRelation | None
    hookengine: OursOfRequest
