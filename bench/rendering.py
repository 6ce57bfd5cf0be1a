"""Medians for preparing and rendering one commit-status hook: URL, 3 headers, a JSON body of 6 leaves.

python bench/rendering.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from hookengine.domain.hook import Hook
from hookengine.domain.request import SecretRef
from hookengine.engine.preparing import prepare

HOOK = Hook(
    id="hook",
    revision=1,
    name="CI(build)",
    events=("action.started",),
    target_url="https://api.github.com/repos/{{ application.repo | path }}/statuses/"
    "{{ action.triggered_from.hook_parsed_variables.commit_hash }}",
    headers=(
        ("Authorization", "Bearer {{ application.source_provider.access_token }}"),
        ("Accept", "application/vnd.github+json"),
        ("X-Action", "{{ action.id }}"),
    ),
    body={
        "state": "{{ {'started': 'pending', 'failed': 'failure'}[action.status] }}",
        "target_url": "https://app.example.com/actions/{{ action.id }}",
        "description": "{{ application.name }}: {{ action.type }} {{ action.status }}",
        "context": "ci/build({{ action.type }})",
        "number": "{{ action.number }}",
        "environment": "{{ environment.name | default('production') }}",
    },
)
CONTEXT = {
    "event": {"id": "evt_1", "type": "action.started", "occurred_at": "2026-11-22T10:15:00.000Z"},
    "action": {
        "id": 42,
        "number": 7,
        "type": "deploy",
        "status": "started",
        "triggered_from": {
            "hook_parsed_variables": {"commit_hash": "9fceb02d0ae598e95dc970b74767f19372d61af8"}
        },
    },
    "application": {
        "name": "shop",
        "repo": "acme/shop",
        "source_provider": {"access_token": SecretRef("context:1:application.source_provider.access_token")},
    },
    "secrets": {},
}


def median(call: Callable[[], object], times: int) -> float:
    """Microseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1000


def main() -> None:
    prepared = prepare(HOOK)
    rounds = sorted(median(lambda: prepared.render(CONTEXT), 5_000) for _ in range(9))
    print(f"prepare  {median(lambda: prepare(HOOK), 50):8.0f} us")
    print(
        f"render   {rounds[0]:8.1f} us  (best median of 9 rounds; median {rounds[4]:.1f}, worst {rounds[-1]:.1f})"
    )


if __name__ == "__main__":
    main()
