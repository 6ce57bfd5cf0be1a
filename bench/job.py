"""The job that every design does: one event of about 1 KB, one hook that tells of a commit, one signed POST.

Needs nothing but the standard library: the queue workers import it from an environment of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

TOKEN = "bench-token"  # noqa: S105  opens nothing
KEY = "whsec_YmVuY2gtc2lnbmluZy1rZXktb2YtMzItYnl0ZXM="
ENVIRON = {"BENCH_TOKEN": TOKEN, "BENCH_KEY": KEY}

PATH = "/apps/{{ application.name }}/commits/{{ action.triggered_from.hook_parsed_variables.commit_hash }}"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json", "X-Action": "{{ action.id }}"}
BODY = {
    "state": "{{ {'completed': 'success', 'failed': 'failure'}[action.status] }}",
    "target_url": "https://app.example.com/actions/{{ action.id }}",
    "description": "{{ application.name }}: {{ action.type }} {{ action.status }}",
    "context": "ci/build({{ action.type }})",
    "number": "{{ action.number }}",
    "environment": "{{ environment.name | default('production') }}",
}


def commit_of(number: int) -> str:
    return hashlib.sha1(b"commit %d" % number, usedforsecurity=False).hexdigest()


def event(number: int, pipelines: int = 1) -> dict[str, Any]:
    """The event of this number: always the same one. Each is of an action and a commit of its own, so that
    no delivery supersedes another and all have to arrive. Pipelines take turns."""
    return {
        "id": f"evt_{number:012d}",
        "type": "action.completed",
        "action": {
            "id": number,
            "number": number,
            "pipeline": 1 + number % pipelines,
            "type": "deploy",
            "status": "completed",
            "triggered_by": {"name": "Ada Lovelace", "email": "ada@example.com", "id": 4711},
            "triggered_from": {
                "name": "Incoming hook",
                "hook_parsed_variables": {
                    "commit_hash": commit_of(number),
                    "branch": "main",
                    "author": "grace@example.com",
                    "message": "Make the basket remember what was in it when somebody comes back",
                },
            },
            "steps": [
                {"name": "build", "status": "completed", "seconds": 41},
                {"name": "migrate", "status": "completed", "seconds": 3},
                {"name": "release", "status": "completed", "seconds": 12},
            ],
        },
        "application": {
            "id": 77,
            "name": "shop",
            "repo": "acme/shop",
            "language": "python",
            "root_directory": "/srv/shop",
            "deployment_key": "deploy-shop",
        },
        "environment": {"id": 5, "name": "staging", "region": "eu-central-1"},
        "server": {"hostname": "shop-staging-1", "operating_system": "debian-12", "ip_address": "192.0.2.17"},
    }


def config(database: str, sinks: Sequence[int]) -> str:
    """A configuration file of hookengine; JSON is YAML. There is a pipeline for each port of a target."""
    settings = {
        "database": database,
        "auth": {"enabled": False},
        "delivery": {
            "allow_networks": ["127.0.0.0/8"],
            "per_host": 256,
            "per_hook": 256,
        },  # one stands for all
        "secrets": {
            "insecure_plaintext": True,
            "host": {"env": "BENCH_TOKEN", "hosts": ["127.0.0.1"]},
            "key": {"env": "BENCH_KEY"},
        },
        "pipelines": [
            {"id": number, "name": f"bench {number}", "hooks": [_hook(sink)]}
            for number, sink in enumerate(sinks, 1)
        ],
    }
    return json.dumps(settings, indent=1)


def _hook(sink: int) -> dict[str, Any]:
    headers = {**HEADERS, "Authorization": "Bearer {{ secrets.host }}"}
    return {
        "name": "CI(build)",
        "target_url": f"http://127.0.0.1:{sink}{PATH}",
        "settings": {
            "request_headers": [{"name": name, "value": value} for name, value in headers.items()],
            "request_body": BODY,
        },
        "trigger_when": {"events": ["action.completed"]},
        "signing": "key",
    }
