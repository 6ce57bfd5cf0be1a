"""What a stage is set up with: hooks that call its target, and a configuration with everything made quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Config = dict[str, Any]

LEASE = 2_000  # milliseconds
TIMEOUT = "1s"
HASTE: Mapping[str, Any] = {
    "hookengine.engine.worker:Capacity.lease": LEASE,
    "hookengine.engine.worker:MARGIN": 0.5,
    "hookengine.app.engine:RELOAD_EVERY": 0.2,
}
"""A lease is longer than a hook's timeout by 5 seconds at least, which is long for a test."""

STATE = "{{ 'error' if action.status == 'timed_out' else action.status }}"


def statuses(address: str, **changes: Any) -> Config:
    """A commit status, so that the newest counts: one lane for each commit."""
    return _hook(
        f"{address}/repos/acme/shop/statuses/{{{{ action.commit }}}}",
        name="status",
        body={"state": STATE, "context": "ci/shop", "description": "{{ event.id }}"},
        **changes,
    )


def in_order(address: str, **changes: Any) -> Config:
    """Everything that happens to an action, one after another."""
    return _hook(f"{address}/ordered/{{{{ action.id }}}}", name="in order", **changes)


def free(address: str, **changes: Any) -> Config:
    """Each event for itself."""
    return _hook(f"{address}/free/{{{{ event.id }}}}", name="free", lane="none", **changes)


def config(database: str, settle: int, hooks: Sequence[Config], changes: Mapping[str, Config]) -> Config:
    """`settle` in milliseconds. Settings in `changes` are laid over those of a stage, group by group."""
    made: Config = {
        "server": {"port": 0},
        "auth": {"enabled": False},
        "database": database,
        "delivery": {"allow_networks": ["127.0.0.0/8"], "settle": f"{settle}ms"},
        "logging": {"format": "json", "level": "debug"},
        "secrets": {"insecure_plaintext": True},
        "metrics": {"public": True},
        "pipelines": [{"id": 1, "name": "shop", "hooks": [*hooks]}],
    }
    for group, values in changes.items():
        made[group] = {**made.get(group, {}), **values}
    return made


def _hook(url: str, *, name: str, body: Any = None, **changes: Any) -> Config:
    return {
        "name": name,
        "target_url": url,
        "settings": {"request_body": body or {"event": "{{ event.id }}", "status": "{{ action.status }}"}},
        "trigger_when": {"events": ["action.status_changed"]},
        "retry": {"waits": ["200ms"], "jitter": 0},
        "timeout": TIMEOUT,
        **changes,
    }
