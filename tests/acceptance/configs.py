"""Configurations and events, as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hookengine.guard.key_file import new_key_file

PATIENCE = 60.0
"""Seconds any wait may take before the test has failed; none of them is ever slept."""

TOKEN = "tok-of-the-hosts-7d1f"
API_TOKEN = "let-me-in-5c9a"
SENDER_SECRET = "the-sender-signs-with-this"

Config = dict[str, Any]


def sha_of(number: int) -> str:
    return f"{number:040x}"


def event(kind: str, number: int, /, **changes: Any) -> dict[str, Any]:
    """`action.KIND` of the action and commit of this number; `action=` adds to the action, the rest to the event."""
    known = {
        "id": number,
        "pipeline": 1,
        "triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(number)}},
    }
    return {"type": f"action.{kind}", "action": {**known, **changes.pop("action", {})}, **changes}


def a_hook(target_url: str, *events: str, **changes: Any) -> Config:
    settings = {"request_body": changes.pop("body", {"event": "{{ event.type }}"})}
    if headers := changes.pop("headers", None):
        settings["request_headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    trigger = {"events": list(events) or ["action.status_changed"], **changes.pop("trigger_when", {})}
    return {
        "name": "a hook",
        "target_url": target_url,
        "settings": settings,
        "trigger_when": trigger,
        "retry": {"waits": ["1m"], "jitter": 0},
        **changes,
    }


def a_config(*hooks: Config, **changes: Any) -> Config:
    """With the loopback open, one pipeline, and a secret `host` that may go there."""
    pipeline = {"id": 1, "name": "shop-deploy", "hooks": list(hooks), **changes.pop("pipeline", {})}
    config: Config = {
        "server": {"port": 0},
        "auth": {"enabled": False},
        "delivery": {"allow_networks": ["127.0.0.0/8"]},
        "logging": {"format": "json", "level": "debug"},
        "secrets": {
            "context_hosts": ["127.0.0.1"],
            "host": {"env": "TOKEN_OF_HOSTS", "hosts": ["127.0.0.1"]},
        },
        "pipelines": [pipeline],
    }
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if both else value
    return config


def write_config(folder: Path, config: Config) -> Path:
    """A JSON document is a YAML document too."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config, indent=2))
    if not (folder / "hookengine.key").exists():
        new_key_file(folder / "hookengine.key")
    return path
