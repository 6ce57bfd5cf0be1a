from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from tests.acceptance.configs import SENDER_SECRET, sha_of
from tests.acceptance.engines import delivery_of
from tests.acceptance.server import Server

PUSHES = "/hooks/open-pushes/trigger"
SIGNED = "/hooks/signed-pushes/trigger"


def push(**changes: Any) -> dict[str, Any]:
    return {"ref": "refs/heads/main", "head": {"sha": sha_of(77)}, **changes}


def send(api: Server, path: str, body: bytes, **headers: str) -> httpx.Response:
    """As a stranger does it, without the API's token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.request("POST", path, content=body, headers={"content-type": "application/json", **named})


def signature(body: bytes, secret: str = SENDER_SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_request_starts_an_action_with_the_variables_it_brings(api: Server) -> None:
    answer = send(api, PUSHES, json.dumps(push(labels=["a", "b"])).encode())

    told = answer.json()
    request = api.delivery(delivery_of(api.get(f"/api/events/{told['event']['id']}").json()))["request"]
    assert answer.status_code == 202
    assert told.keys() == {"message", "errors", "action", "event", "matched"}
    assert told["matched"] == 1
    assert answer.headers["x-devopness-action-id"] == str(told["action"]["id"])
    assert told["action"]["pipeline"] == {"id": 2, "name": "site-build"}
    assert request["url"] == f"https://target.example/{sha_of(77)}"
    assert json.loads(request["body"]) == {
        "variables": {"commit_hash": sha_of(77), "retries": 3, "labels": ["a", "b"]}
    }


def test_variables_are_there_for_the_later_events_of_the_action(api: Server) -> None:
    started = send(api, PUSHES, json.dumps(push(retries="5")).encode()).json()

    action = {"id": started["action"]["id"], "pipeline": 2}
    (answer,) = api.accept({"type": "action.completed", "action": action})

    request = api.delivery(delivery_of(answer))["request"]
    assert request["url"] == f"https://target.example/{sha_of(77)}"
    assert json.loads(request["body"])["variables"]["retries"] == 5


def test_every_action_has_a_number_of_its_own(api: Server) -> None:
    answers = [send(api, PUSHES, json.dumps(push()).encode()).json() for _ in range(2)]

    first, second = [answer["action"]["id"] for answer in answers]
    assert isinstance(first, int)
    assert second > first


@pytest.mark.parametrize("changes", [{"ref": "refs/heads/other"}, {"ref": None}, {"ref": {}}])
def test_nothing_starts_when_a_condition_does_not_hold(api: Server, changes: dict[str, Any]) -> None:
    before = api.rows("SELECT count(*) FROM action")

    answer = send(api, PUSHES, json.dumps(push(**changes)).encode())

    assert answer.status_code == 200
    assert answer.json()["message"] == "Nothing was started: ref is not one of refs/heads/main."
    assert api.rows("SELECT count(*) FROM action") == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"head": {}}, "head.sha"), ({"retries": "many"}, "retries"), ({"labels": 1}, "labels")],
)
def test_a_variable_that_is_missing_or_of_another_type_is_refused(
    api: Server, changes: dict[str, Any], field: str
) -> None:
    answer = send(api, PUSHES, json.dumps(push(**changes)).encode())

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 2000])
def test_a_request_that_is_not_json_is_refused(api: Server, body: bytes) -> None:
    answer = send(api, PUSHES, body)

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["body"]


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_a_request_with_the_right_signature_comes_in(api: Server, prefix: str) -> None:
    body = b'{"by": "us"}'

    answer = send(api, SIGNED, body, X_Hub_Signature_256=prefix + signature(body))

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Hub_Signature_256": ""},
        {"X_Hub_Signature_256": "sha256="},
        {"X_Hub_Signature_256": "sha256=" + signature(b'{"by": "others"}')},
        {"X_Hub_Signature_256": "sha256=" + signature(b'{"by": "us"}', "another secret")},
        {"X_Signature": signature(b'{"by": "us"}')},
    ],
)
def test_a_request_without_the_right_signature_starts_nothing(api: Server, headers: dict[str, str]) -> None:
    before = api.rows("SELECT count(*) FROM action")

    answer = send(api, SIGNED, b'{"by": "us"}', **headers)

    assert answer.status_code == 403
    assert "x-hub-signature-256" in answer.json()["message"]
    assert api.rows("SELECT count(*) FROM action") == before


def test_a_redelivered_request_starts_one_action(api: Server) -> None:
    body = json.dumps(push()).encode()

    first = send(api, PUSHES, body, X_GitHub_Delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    second = send(api, PUSHES, body, X_GitHub_Delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    other = send(api, PUSHES, body, X_GitHub_Delivery="another")

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert other.json()["action"]["id"] != first.json()["action"]["id"]


@pytest.mark.parametrize(
    ("hook", "status"),
    [("nobody-knows", 404), ("inactive-pushes", 404), ("..%2fapi", 401), ("open-pushes/more", 401)],
)
def test_a_hook_that_is_not_there_is_not_found(api: Server, hook: str, status: int) -> None:
    """What is no hook's URL at all is not open to strangers."""
    answer = send(api, f"/hooks/{hook}/trigger", b"{}")

    assert answer.status_code == status
    assert answer.json()["message"]
