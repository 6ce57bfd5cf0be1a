"""What the OpenAPI document says of reports: their bodies, and what they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hookengine.web.api import views
from hookengine.web.api.answers import failures, json_answer, json_body

_COMMIT: Final = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
_OBJECT: Final = {"type": "object"}
_ACCEPTED: Final = {
    "message": "Accepted.",
    "events": [
        {
            "id": "github:3b0c1f5e8a7d42c6b9e0f1a2d3c4b5e6f7a8b9c0",
            "type": "action.completed",
            "action": {"id": "github-run-30433642", "pipeline": {"id": 1, "name": "shop-deploy"}},
        }
    ],
    "ignored": [],
}
_NOTHING: Final = {
    "message": "Nothing came of it: the pull request was not merged by this.",
    "events": [],
    "ignored": ["the pull request was not merged by this"],
}
_INSTANCE: Final = {
    "id": "89d2491c-764a-5f77-93d9-18e8e372b795",
    "instance_guid": "89d2491c-764a-5f77-93d9-18e8e372b795",
    "integration_id": "12",
    "name": "Jenkins-1",
    "type": "jenkins",
}

_TEXT: Final = {"type": "string", "minLength": 1}
_ILERT: Final = {
    "type": "object",
    "required": ["integrationKey", "summary"],
    "properties": {
        "integrationKey": {**_TEXT, "description": "Of the pipeline; a secret"},
        "summary": _TEXT,
        "timestamp": {
            "type": ["string", "integer", "null"],
            "description": "Seconds or milliseconds since 1970, or ISO 8601 with a zone",
        },
        "userEmail": {"type": ["string", "null"]},
        "customDetails": {"type": ["object", "null"]},
        "links": {"type": ["array", "null"], "items": _OBJECT},
    },
}
ILERT_EXAMPLE: Final = {
    "integrationKey": "hki_0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4",
    "summary": "shop 1.2 is in production",
    "timestamp": "2026-11-22T10:15:00Z",
    "customDetails": {"commit_hash": _COMMIT},
    "links": [{"href": "https://ci.example.com/runs/7", "text": "the run"}],
}
_SEI_EXAMPLE: Final = {
    "pipeline": "shop-deploy",
    "job_full_name": "shop/deploy",
    "instance_guid": "89d2491c-764a-5f77-93d9-18e8e372b795",
    "start_time": 1795000000000,
    "duration": 77000,
    "result": "SUCCESS",
    "cd": True,
    "scm_commit_ids": [_COMMIT],
}
_WEBHOOK_EXAMPLES: Final[Mapping[str, Any]] = {
    "github": {
        "action": "completed",
        "workflow_run": {"id": 30433642, "head_sha": _COMMIT, "run_attempt": 1, "conclusion": "success"},
        "repository": {"full_name": "acme/shop"},
    },
    "gitlab": {
        "object_kind": "pipeline",
        "object_attributes": {"id": 31, "sha": _COMMIT, "status": "success"},
        "project": {"path_with_namespace": "acme/shop"},
    },
}
_CLOUDEVENT: Final = {
    "specversion": "1.0",
    "id": "run-7-started",
    "source": "/ci/acme",
    "type": "dev.cdevents.pipelinerun.started.0.3.0",
    "data": {
        "subject": {"id": "run-7", "content": {"pipelineName": "shop-deploy"}},
        "customData": {"commit_hash": _COMMIT},
    },
}
_CLOUDEVENTS: Final = {
    "requestBody": {
        "required": False,
        "content": {
            "application/cloudevents+json": {"schema": _OBJECT, "example": _CLOUDEVENT},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": _OBJECT},
                "example": [_CLOUDEVENT],
            },
            "application/json": {"schema": {}, "example": _CLOUDEVENT["data"]},
        },
    }
}


def webhook(name: str) -> dict[str, Any]:
    """Of an operation that a system's webhooks call."""
    if name == "cloudevents":
        return {"responses": _answers(400, 415), "openapi_extra": _CLOUDEVENTS}
    return {"responses": _answers(403), "openapi_extra": json_body(_OBJECT, _WEBHOOK_EXAMPLES[name])}


def ilert() -> dict[str, Any]:
    return {"responses": _answers(403), "openapi_extra": json_body(_ILERT, ILERT_EXAMPLE)}


def sei() -> dict[str, Any]:
    instance = json_answer(
        "The instance that was asked for, or nothing comes of it", _INSTANCE, views.Instance | views.Taken
    )
    return {
        "responses": {**_answers(403), 200: instance},
        "openapi_extra": json_body(_OBJECT, _SEI_EXAMPLE),
    }


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        200: json_answer("Nothing comes of it", _NOTHING, views.Taken),
        202: json_answer("What came of it", _ACCEPTED, views.Taken),
        **failures(403, 408, 413, 422, *statuses),
    }
