"""How each family of hosts is told, and what it then shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hookengine.simulators import SIMULATORS, Host, Received
from tests.convergence.world import RANKS, Place, Position

TOKEN = "tok-of-convergence-5f0b"
CONTEXT = "ci/shop({{ environment.name }})"
LINK = "https://deploy.example/a/{{ action.number }}/{{ event.type }}"

_SHA = re.compile(r"[0-9a-f]{40}")
_ENVIRONMENT = re.compile(r"ci/shop\((\w+)\)")
_POSITION = re.compile(r"deploy\.example/a/(\d+)/action\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Family:
    """`blanks` of its preset beside the usual ones; `states` in its words; `context`: the blank that names it."""

    name: str
    blanks: Mapping[str, str]
    states: Mapping[str, str]
    context: str = "context"

    def host(self) -> Host:
        return SIMULATORS[self.name](tokens={TOKEN})

    def hook(self, address: str, **changes: Any) -> dict[str, Any]:
        return {
            "preset": f"{self.name}/commit-status",
            "with": {
                "base_url": address,
                "token": "{{ secrets.host }}",
                "target_url": LINK,
                self.context: CONTEXT,
                **self.blanks,
            },
            "timeout": "1s",
            **changes,
        }


def _states(queued: str, started: str, completed: str, failed: str, cancelled: str) -> Mapping[str, str]:
    return {
        "queued": queued,
        "started": started,
        "completed": completed,
        "failed": failed,
        "cancelled": cancelled,
    }


FAMILIES = (
    Family(
        name="github",
        blanks={"repository": "acme/shop"},
        states=_states("pending", "pending", "success", "failure", "error"),
    ),
    Family(
        name="gitlab",
        blanks={"project": "acme/shop"},
        states=_states("pending", "running", "success", "failed", "canceled"),
    ),
    Family(
        name="bitbucket",
        blanks={"repository": "acme/shop", "name": CONTEXT},
        states=_states("INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"),
        context="key",
    ),
    Family(
        name="bitbucket_datacenter",
        blanks={"project": "ACME", "repository": "shop", "name": CONTEXT},
        states=_states("INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "CANCELLED"),
        context="key",
    ),
    Family(
        name="gitea",
        blanks={"repository": "acme/shop"},
        states=_states("pending", "pending", "success", "failure", "error"),
    ),
    Family(
        name="forgejo",
        blanks={"repository": "acme/shop"},
        states=_states("pending", "pending", "success", "failure", "error"),
    ),
    Family(
        name="azure_devops",
        blanks={"organization": "acme", "project": "web", "repository": "shop"},
        states=_states("pending", "pending", "succeeded", "failed", "error"),
    ),
)


def place_of(received: Received) -> Place | None:
    """None for what is no status, such as a question."""
    sha, environment = _SHA.search(received.path), _ENVIRONMENT.search(received.content.decode())
    return Place(sha[0], environment[1]) if sha and environment else None


def position_of(received: Received) -> Position:
    found = _POSITION.search(received.content.decode())
    assert found is not None, received
    return int(found[1]), RANKS[found[2]]


def shown_by(host: Host) -> dict[Place, list[str]]:
    """The current entries of each place, which are to be one."""
    found: dict[Place, list[str]] = {}
    for place, entry in host.contexts().items():
        environment = _ENVIRONMENT.search(entry.context)
        assert environment is not None, entry
        found.setdefault(Place(place.sha, environment[1]), []).append(entry.state)
    return found
