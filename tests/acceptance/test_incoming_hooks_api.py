"""Incoming hooks over the engine's own routes."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.acceptance.configs import sha_of
from tests.acceptance.definitions import delete, new_hook, new_pipeline, patch
from tests.acceptance.server import Server


def signed(engine: Server, path: str, body: bytes, secret: str) -> Any:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return engine.request("POST", path, content=body, headers={"x-hub-signature-256": f"sha256={digest}"})


def test_a_new_incoming_hook_wants_signatures_with_the_secret_it_answers(engine: Server) -> None:
    answer = engine.post(
        "/api/incoming-hooks",
        {
            "pipeline": 1,
            "name": "pushes",
            "variables": [{"name": "commit_hash", "path": "after", "required": True}],
        },
    )
    made = answer.json()
    path, body = made["url"].removeprefix(engine.url), json.dumps({"after": sha_of(3)}).encode()

    taken = signed(engine, path, body, made["new_secret"])
    renewed = engine.request("POST", f"/api/incoming-hooks/{made['id']}/secret").json()["new_secret"]
    old, new = (signed(engine, path, body, secret) for secret in (made["new_secret"], renewed))
    opened = patch(engine, f"/api/incoming-hooks/{made['id']}", {"requires_secret": False}).json()
    anybody = engine.request("POST", path, content=body, headers={})

    assert answer.status_code == 201, answer.text
    assert made["requires_secret"]
    assert "new_secret" not in engine.get(f"/api/incoming-hooks/{made['id']}").json()
    assert [answer.status_code for answer in (taken, old, new, anybody)] == [202, 403, 202, 202]
    assert not opened["requires_secret"]


def test_an_incoming_hook_without_requirements_takes_an_empty_body(engine: Server) -> None:
    made = engine.post(
        "/api/incoming-hooks", {"pipeline": "shop-deploy", "name": "by hand", "requires_secret": False}
    ).json()
    hook = new_hook(
        engine,
        trigger_when={
            "events": ["action.queued"],
            "conditions": [{"path": "action.triggered_from.hook_id", "accepted_values": [made["id"]]}],
        },
        target_url="https://target.example/{{ action.triggered_from.name }}",
    )

    answer = engine.request("POST", made["url"].removeprefix(engine.url), headers={}).json()
    told = engine.get(f"/api/events/{answer['event']['id']}").json()

    assert [matched["id"] for matched in told["hooks"]] == [hook["id"]]
    assert answer["action"]["pipeline"]["id"] == 1


def test_incoming_hooks_are_changed_listed_and_deleted(engine: Server) -> None:
    pipeline = new_pipeline(engine, "of incoming hooks")["id"]
    made = engine.post(
        "/api/incoming-hooks", {"pipeline": pipeline, "name": "one", "requires_secret": True}
    ).json()
    path = f"/api/incoming-hooks/{made['id']}"

    changed = patch(engine, path, {"name": "two", "variables": [{"name": "a"}]}).json()
    listed = engine.get(f"/api/incoming-hooks?pipeline={pipeline}").json()
    delete(engine, path)

    assert (changed["name"], changed["requires_secret"]) == ("two", True)
    assert [variable["path"] for variable in changed["variables"]] == ["a"]
    assert listed == {"items": [changed], "next": None}
    assert engine.get(path).status_code == 404
    assert engine.request("POST", made["url"].removeprefix(engine.url), headers={}).status_code == 404


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"name": "a"}, "pipeline"),
        ({"pipeline": 1}, "name"),
        ({"pipeline": 1, "name": "a", "requires_secret": 1}, "requires_secret"),
        ({"pipeline": 1, "name": "a", "secret": "nobody's"}, "secret"),
        ({"pipeline": 1, "name": "a", "secret": "host", "requires_secret": False}, "secret"),
        ({"pipeline": 1, "name": "a", "variables": [{"name": "x"}, {"name": "x"}]}, "variables[1].name"),
    ],
)
def test_what_is_wrong_with_an_incoming_hook_is_told_by_field(
    engine: Server, document: dict[str, Any], field: str
) -> None:
    answer = engine.post("/api/incoming-hooks", document)

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
