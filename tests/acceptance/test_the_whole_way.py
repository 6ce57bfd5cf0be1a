"""From a pull request on GitHub to the status of its commit, and nothing in between but HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import API_TOKEN, TOKEN, a_config, sha_of, write_config
from tests.acceptance.server import Server

pytestmark = pytest.mark.anyio

OPENED = {
    "action": "opened",
    "number": 7,
    "pull_request": {"title": "Remember the basket", "head": {"sha": sha_of(7), "ref": "basket"}},
    "repository": {"full_name": "acme/shop"},
}
STATES = {"queued": "pending", "started": "pending", "completed": "success"}


def serving(folder: Path) -> Server:
    """An engine that asks for tokens, with a pipeline and nothing else."""
    write_config(
        folder, a_config(auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}})
    )
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    return server


def define(server: Server, address: str) -> dict[str, Any]:
    """The incoming hook that GitHub is told of, and a commit status for each thing that happens to an action."""
    commit = "{{ action.triggered_from.hook_parsed_variables.commit_hash }}"
    for kind, state in STATES.items():
        made = server.post(
            "/pipelines/1/hooks/outgoing",
            {
                "name": "status",
                "target_url": f"{address}/repos/acme/shop/statuses/{commit}",
                "trigger_when": {"events": [f"action.{kind}"]},
                "settings": {
                    "request_headers": [{"name": "Authorization", "value": "Bearer {{ secrets.host }}"}],
                    "request_body": {
                        "state": state,
                        "context": "ci/shop",
                        "description": "{{ action.status }}",
                    },
                },
            },
        )
        assert made.status_code == 201, made.text
    incoming = server.post(
        "/pipelines/1/hooks/incoming",
        {
            "name": "pull requests",
            "requires_secret": True,
            "secret_algorithm": "sha256",
            "secret_header_name": "x-hub-signature-256",
            "trigger_when": {
                "conditions": [{"type": "request_body", "path": "action", "accepted_values": ["opened"]}]
            },
            "settings": {
                "variables": [
                    {
                        "name": "commit_hash",
                        "path": "pull_request.head.sha",
                        "type": "string",
                        "required": True,
                    }
                ]
            },
        },
    )
    assert incoming.status_code == 201, incoming.text
    made_incoming: dict[str, Any] = incoming.json()
    return made_incoming


def told_by_github(server: Server, incoming: dict[str, Any], document: dict[str, Any]) -> Any:
    body = json.dumps(document).encode()
    digest = hmac.new(incoming["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={digest}", "content-type": "application/json"}
    return server.request("POST", f"/hooks/{incoming['id']}/trigger", content=body, headers=headers)


def run_by_the_platform(server: Server, action_id: int) -> None:
    """It finds the action by asking, and tells what becomes of it."""
    waiting = server.get("/api/actions", params={"pipeline": "1", "status": "queued"}).json()["items"]
    assert [action["id"] for action in waiting] == [action_id]
    for kind in ("started", "completed"):
        server.accept({"type": f"action.{kind}", "action": {"id": action_id, "pipeline": 1}})


async def test_a_pull_request_becomes_an_action_and_the_action_the_status_of_its_commit(
    tmp_path: Path,
) -> None:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,):
        server = await asyncio.to_thread(serving, tmp_path)
        try:
            incoming = await asyncio.to_thread(define, server, address)
            ignored = await asyncio.to_thread(
                told_by_github, server, incoming, {**OPENED, "action": "closed"}
            )
            started = await asyncio.to_thread(told_by_github, server, incoming, OPENED)
            action_id = int(started.headers["x-devopness-action-id"])
            await asyncio.to_thread(run_by_the_platform, server, action_id)
            await asyncio.to_thread(server.wait_for_rest)
            shown = await asyncio.to_thread(server.get, f"/api/commits/{sha_of(7)}")
        finally:
            await asyncio.to_thread(server.close)

    assert (ignored.status_code, started.status_code) == (200, 202)
    entry = github.shown("acme/shop", sha_of(7))["ci/shop"]
    assert (entry.state, entry.description) == ("success", "completed")
    assert "success" in shown.text
