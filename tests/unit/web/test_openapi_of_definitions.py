"""What the OpenAPI document says of the operations that define pipelines and hooks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from hookengine.domain.token import ANYBODY
from hookengine.web.app import create_web
from tests.unit.web.standin import Engine

MINE = frozenset({"devopness", "pipelines", "hooks", "incoming hooks"})
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    class Anybody:
        def caller(self, authorization: str) -> Any:
            return ANYBODY

    return create_web(Engine().doors(Anybody())).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def mine(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, operation) for name, operation in operations(document) if MINE & {*operation.get("tags", [])}
    ]


def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = Counter(operation["operationId"] for _, operation in operations(document))

    assert [name for name, times in ids.items() if times > 1] == []


def test_devopness_operations_have_devopness_names_and_paths(document: dict[str, Any]) -> None:
    found = {
        name: operation["operationId"]
        for name, operation in mine(document)
        if "devopness" in operation["tags"] or "trigger" in name
    }

    assert found == {
        "POST /pipelines/{pipeline_id}/hooks/{hook_type}": "add_pipeline_hook",
        "GET /pipelines/{pipeline_id}/hooks": "list_pipeline_hooks",
        "GET /applications/{application_id}/hooks": "list_application_hooks",
        "GET /hooks/{hook_type}/{hook_id}": "get_hook",
        "PUT /hooks/{hook_type}/{hook_id}": "update_hook",
        "DELETE /hooks/{hook_type}/{hook_id}": "delete_hook",
        "GET /hooks/{hook_type}/{hook_id}/requests": "list_hook_requests_by_hook_type",
        "GET /hook-requests/{hook_request_id}": "get_hook_request",
        "POST /hooks/{hook_id}/trigger": "trigger_hook",
    }


def test_every_answer_with_a_body_has_an_example(document: dict[str, Any]) -> None:
    wanting = [
        f"{name}: {status}"
        for name, operation in mine(document)
        for status, answer in operation["responses"].items()
        if int(status) < 400
        and status != "204"
        and "example" not in answer.get("content", {}).get("application/json", {})
    ]

    assert len(mine(document)) > 30
    assert wanting == []


def test_every_operation_says_that_it_wants_a_token_and_may_not_reach_its_database(
    document: dict[str, Any],
) -> None:
    """But the public address of an incoming hook."""
    wanting = [name for name, operation in mine(document) if not {"401", "503"} <= {*operation["responses"]}]

    assert wanting == ["POST /hooks/{hook_id}/trigger"]


def test_every_body_that_is_read_is_described_with_an_example(document: dict[str, Any]) -> None:
    bodies = {
        name: operation["requestBody"]["content"]["application/json"]
        for name, operation in mine(document)
        if "requestBody" in operation
    }

    assert "POST /pipelines/{pipeline_id}/hooks/{hook_type}" in bodies
    assert [name for name, body in bodies.items() if "example" not in body] == []
