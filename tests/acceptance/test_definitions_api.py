"""What holds for pipelines, hooks and incoming hooks alike: what files manage, strangers, and the shape of errors."""

from __future__ import annotations

import pytest

from tests.acceptance.definitions import OWN_HOOK, delete, patch
from tests.acceptance.server import Server

# What files manage


@pytest.mark.parametrize(
    "path", ["/api/pipelines/1", "/api/hooks/of-file", "/api/incoming-hooks/incoming-of-file"]
)
def test_what_a_file_manages_says_so_and_is_changed_there(engine: Server, path: str) -> None:
    shown = engine.get(path).json()

    answers = [patch(engine, path, {"name": "taken over"}), delete(engine, path)]

    assert shown["managed_by"] != "api"
    assert [answer.status_code for answer in answers] == [409, 409]
    assert all("force=true" in answer.json()["message"] for answer in answers)
    assert engine.get(path).json() == shown


def test_what_a_file_manages_may_be_taken_over(engine: Server) -> None:
    path = "/api/incoming-hooks/incoming-of-file"

    forced = patch(engine, f"{path}?force=true", {"active": False})

    assert forced.status_code == 200
    assert (forced.json()["managed_by"], forced.json()["active"]) == ("api", False)
    assert patch(engine, path, {"active": True}).status_code == 200


# Who comes in, and what is not there


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/hooks/outgoing/trigger"),
        ("GET", "/hooks/outgoing/trigger"),
        ("PUT", "/hooks/incoming/trigger"),
        ("POST", "/hooks/outgoing/x/trigger"),
        ("GET", "/pipelines/1/hooks"),
        ("POST", "/pipelines/1/hooks/outgoing"),
        ("POST", "/api/hooks/x/trigger"),
    ],
)
def test_only_a_trigger_itself_is_open_to_strangers(engine: Server, method: str, path: str) -> None:
    answer = engine.request(method, path, headers={})

    assert answer.status_code == 401
    assert list(answer.json()) == ["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/pipelines/1/hooks/", 404),
        ("GET", "/pipelines/1/hooks/sideways", 404),
        ("GET", "/hooks/sideways/1", 404),
        ("POST", "/pipelines/one/hooks/outgoing", 422),
        ("GET", "/pipelines/0/hooks", 422),
        ("PUT", "/pipelines/1/hooks/outgoing", 405),
        ("DELETE", "/pipelines/1/hooks", 405),
        ("POST", "/hooks/outgoing/1", 405),
        ("GET", "/api/hooks/1/enable", 405),
    ],
)
def test_every_error_has_the_same_shape_and_nothing_is_redirected(
    engine: Server, method: str, path: str, status: int
) -> None:
    answer = engine.request(method, path)

    assert answer.status_code == status
    assert answer.json()["message"]
    assert set(answer.json()) <= {"message", "errors"}
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(engine: Server, body: bytes) -> None:
    answers = [
        engine.request(method, path, content=body)
        for method, path in (
            ("POST", "/pipelines/1/hooks/outgoing"),
            ("POST", "/api/hooks"),
            ("PATCH", "/api/pipelines/1"),
        )
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert all(list(answer.json()["errors"]) == ["body"] for answer in answers)


def test_a_token_that_may_only_read_changes_nothing(engine: Server) -> None:
    made = engine.post("/api/tokens", {"name": "reader", "scopes": ["hooks:read"]}).json()
    headers = {"Authorization": f"Bearer {made['token']}"}

    read = engine.request("GET", "/pipelines/1/hooks", headers=headers)
    written = engine.request("POST", "/pipelines/1/hooks/outgoing", json=OWN_HOOK, headers=headers)

    assert (read.status_code, written.status_code) == (200, 403)
