"""What a running engine answers is what its document says, to the last field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.web.openapi import operations
from tests.acceptance.configs import a_hook, event, sha_of
from tests.acceptance.reading import World, a_world, a_world_config
from tests.closing import closed

pytestmark = pytest.mark.anyio


def config(address: str, **changes: Any) -> Any:
    """With a hook that cannot be rendered, one whose host is not there, and every key that a hook may have."""
    wished = a_world_config(address, **changes)
    everything = {
        "preset": "github/commit-status",
        "with": wished["pipelines"][0]["hooks"][0]["with"] | {"context": "ci/other"},
        "id": "everything",
        "trigger_when": {
            "events": ["action.failed"],
            "conditions": [{"path": "action.id", "accepted_values": [1, 2]}],
        },
        "action_type": "deploy",
        "lane": {"policy": "ordered", "key": "a lane"},
        "retry": {"waits": ["1m"]},
        "timeout": "5s",
        "rate": "10/min",
        "responses": [{"status": 422, "then": "permanent", "because": "no"}],
    }
    plain = a_hook("http://127.0.0.1:8099/", "action.completed", id="away", action_type="deploy")
    broken = a_hook(address, "action.started", id="broken", body={"a": "{{ action.nowhere }}"})
    wished["pipelines"][0]["hooks"] += [everything, plain, broken]
    wished["pipelines"][0]["incoming_hooks"] = [
        {"id": "of-a-file", "name": "in", "variables": [{"name": "sha"}]}
    ]
    return wished


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database, config=config) as world:
        yield world


class Asking:
    """Requests whose answers must be of the schemas of the document, closed."""

    def __init__(self, api: httpx.AsyncClient, document: dict[str, Any]) -> None:
        self._api, self._document = api, document
        self._named = {
            operation["operationId"]: (method, path, operation)
            for path, method, operation in operations(document)
        }
        self.left = set(self._named)

    async def __call__(self, name: str, body: Any = None, /, **values: Any) -> Any:
        method, path, operation = self._named[name]
        query = {key: value for key, value in values.items() if f"{{{key}}}" not in path}
        answer = await self._api.request(method.upper(), path.format(**values), params=query, json=body)
        assert answer.is_success, answer.text
        said = operation["responses"][str(answer.status_code)]
        self.left.discard(name)
        if "content" not in said:
            assert answer.content == b""
            return None
        closed(self._document, said["content"]["application/json"]["schema"]).validate(answer.json())
        return answer.json()


async def test_every_answer_is_as_the_document_says_to_the_last_field(world: World) -> None:
    document = (await world.api.get("/openapi.json")).json()
    ask = Asking(world.api, document)
    owed = await ask("accept_events", [event("started", 1, id="evt_1"), event("completed", 1, id="evt_2")])
    shown = {hook["id"]: hook for told in owed for hook in told["hooks"]}
    assert [name for name, hook in shown.items() if "problem" in hook] == ["broken"]
    delivered, away = shown["status"]["delivery"], shown["away"]["delivery"]
    await world.engine.ended(delivered)
    await world.engine.tried(away)

    await read(ask, *(hook["delivery"] for told in owed for hook in told["hooks"]))
    await ask_again(ask, away)
    await define(ask)
    await use_devopnesses(ask, delivered)

    assert {name for name in ask.left if not name.startswith("hear_")} == {"metrics", "export_files"}


async def read(ask: Asking, *deliveries: str) -> None:
    lists = ("list_deliveries", "list_actions", "list_events", "list_replays", "list_tokens", "list_secrets")
    for name in ("health", "readiness", *lists, "list_pipelines", "list_hooks", "list_incoming_hooks"):
        await ask(name)
    for delivery in deliveries:
        await ask("get_delivery", delivery_id=delivery)
        await ask("list_attempts", delivery_id=delivery)
    await ask("get_action", action_id=1)
    await ask("get_event", event_id="evt_1")
    await ask("explain_event", event_id="evt_1")
    await ask("explain_unsent_event", event("failed", 2))
    await ask("get_commit", sha=sha_of(1))
    assert (await ask("list_deployments", type="deploy"))["items"]


async def ask_again(ask: Asking, delivery: str) -> None:
    await ask("cancel_delivery", delivery_id=delivery)
    await ask("replay_delivery", delivery_id=delivery)
    await ask("plan_replay", {"q": "status:cancelled"})
    replay = await ask("start_replay", {"q": "status:cancelled", "since": "1h", "per_minute": 1})
    for name in ("get_replay", "pause_replay", "resume_replay", "cancel_replay"):
        await ask(name, replay_id=replay["id"])


async def define(ask: Asking) -> None:
    pipeline = (await ask("create_pipeline", {"name": "a third", "context": {"a": {"b": 1}}}))["id"]
    await ask("update_pipeline", {"team": "web"}, pipeline_id=pipeline)
    await ask("get_pipeline", pipeline_id=pipeline)
    await ask("renew_integration_key", pipeline_id=pipeline)
    await ask("show_hook", hook_id="everything")
    trigger = {"events": ["action.started"]}
    wished = {"pipeline": pipeline, "name": "n", "target_url": "https://a.example/", "trigger_when": trigger}
    hook = (await ask("create_hook", {**wished, "rate": "10/min", "timeout": "5s"}))["id"]
    await ask("change_hook", {"lane": {"policy": "none"}, "retry": {"waits": ["1m"]}}, hook_id=hook)
    await ask("renew_signing_secret", hook_id=hook)
    for name in ("list_hook_versions", "preview_hook", "test_hook", "show_hook", "enable_hook"):
        await ask(name, hook_id=hook)
    await ask("get_hook_version", hook_id=hook, version=1)
    await ask("preview_unsaved_hook", {"hook": wished})
    await ask("pause_hook", {"reason": "it moves"}, hook_id=hook)
    await ask("disable_hook", {"reason": "it is gone"}, hook_id=hook)
    await ask("stop_signing", hook_id=hook)
    await ask("remove_hook", hook_id=hook)
    incoming = (await ask("create_incoming_hook", {"pipeline": pipeline, "name": "in"}))["id"]
    for name in ("get_incoming_hook", "renew_incoming_secret"):
        await ask(name, hook_id=incoming)
    await ask("change_incoming_hook", {"requires_secret": False}, hook_id=incoming)
    await ask("trigger_hook", {"a": 1}, hook_id=incoming)
    await ask("remove_incoming_hook", hook_id=incoming)
    await ask("set_secret", {"value": "xoxb", "hosts": ["a.example"]}, name="chat")
    await ask("list_secrets")
    await ask("delete_secret", name="chat")
    token = await ask("create_token", {"name": "bot", "scopes": ["emit"]})
    await ask("list_tokens")
    await ask("revoke_token", token_id=token["id"])
    text = "pipelines:\n  - {id: 9, name: of a file}\n"
    await ask("apply_files", {"files": [{"name": "a.yaml", "text": text}], "dry_run": True})
    await ask("delete_pipeline", pipeline_id=pipeline)


async def use_devopnesses(ask: Asking, delivery: str) -> None:
    wished = {"name": "n", "target_url": "https://a.example/", "trigger_when": {"events": ["action.started"]}}
    made = await ask("add_pipeline_hook", wished, pipeline_id=1, hook_type="outgoing")
    incoming = {"name": "n", "requires_secret": True, "settings": {"variables": [{"name": "a"}]}}
    await ask("add_pipeline_hook", incoming, pipeline_id=1, hook_type="incoming")
    hook = {"hook_type": "outgoing", "hook_id": made["id"]}
    await ask("get_hook", **hook)
    await ask("update_hook", {"name": "m"}, **hook)
    await ask("list_pipeline_hooks", pipeline_id=1)
    await ask("list_application_hooks", application_id=1)
    await ask("list_hook_requests_by_hook_type", hook_type="outgoing", hook_id="status")
    await ask("get_hook_request", hook_request_id=f"{delivery}-1")
    await ask("delete_hook", **hook)
