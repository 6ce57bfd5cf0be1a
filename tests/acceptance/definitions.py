"""What is asked of an engine's own routes for pipelines, hooks and incoming hooks."""

from __future__ import annotations

from typing import Any

from tests.acceptance.server import Server

TARGET = "https://target.example/statuses/{{ action.id }}"
OWN_HOOK = {
    "name": "own",
    "target_url": "https://target.example/",
    "trigger_when": {"events": ["action.failed"]},
}


def patch(engine: Server, path: str, document: Any) -> Any:
    return engine.request("PATCH", path, json=document)


def delete(engine: Server, path: str) -> Any:
    return engine.request("DELETE", path)


def new_pipeline(engine: Server, name: str, **changes: Any) -> dict[str, Any]:
    answer = engine.post("/api/pipelines", {"name": name, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def new_hook(engine: Server, **changes: Any) -> dict[str, Any]:
    document = {
        "pipeline": 1,
        "name": "a hook",
        "target_url": TARGET,
        "trigger_when": {"events": ["action.failed"]},
        **changes,
    }
    answer = engine.post("/api/hooks", document)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
