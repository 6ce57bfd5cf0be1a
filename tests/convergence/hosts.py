"""How each family of hosts is told, and what it then shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hookengine.simulators import SIMULATORS, Host, Received
from tests.convergence.world import RANKS, Place, Position

TOKEN = "tok-of-convergence-5f0b"
CONTEXT = "ci/shop({{ environment.name }})"
LINK = (
    "https://deploy.example/{{ action.triggered_from.hook_parsed_variables.commit_hash }}/{{ environment.name }}"
    "/{{ action.number }}/{{ event.type }}"
)

_LINK = re.compile(r"deploy\.example/([0-9a-f]{40})/(\w+)/(\d+)/action\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Family:
    """`blanks` of its preset beside the usual ones; `states` in its words; `context`: the blank that names it.
    `shows` finds the environment in what an entry is called; `retires`: words the host puts in place of ours.
    """

    name: str
    blanks: Mapping[str, str]
    states: Mapping[str, str]
    context: str = "context"
    preset: str = "commit-status"
    shows: re.Pattern[str] = re.compile(r"ci/shop\((\w+)\)")
    retires: Mapping[str, str] = field(default_factory=dict)

    def host(self) -> Host:
        return SIMULATORS[self.name](tokens={TOKEN})

    def hook(self, address: str, **changes: Any) -> dict[str, Any]:
        return {
            "preset": f"{self.name}/{self.preset}",
            "with": {
                "base_url": address,
                "token": "{{ secrets.host }}",
                "target_url": LINK,
                **({self.context: CONTEXT} if self.context else {}),
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


DEPLOYMENTS = Family(
    name="github",
    preset="deployment-status",
    blanks={"repository": "acme/shop"},
    states=_states("queued", "in_progress", "success", "failure", "error"),
    context="",
    shows=re.compile(r"deployment \d+ to (\w+)"),
    retires={"inactive": "success"},
)
"""Each action is one of its own."""


def place_of(received: Received) -> Place | None:
    """None for what is no status, such as a question, or a deployment that is created."""
    found = _LINK.search(received.content.decode())
    return Place(found[1], found[2]) if found else None


def position_of(received: Received) -> Position:
    found = _LINK.search(received.content.decode())
    assert found is not None, received
    return int(found[3]), RANKS[found[4]]


def shown_by(host: Host, family: Family) -> dict[Place, list[str]]:
    """The current entries of each place, which are to be one."""
    found: dict[Place, list[str]] = {}
    for place, entry in host.contexts().items():
        environment = family.shows.search(entry.context)
        assert environment is not None, entry
        state = family.retires.get(entry.state, entry.state)
        found.setdefault(Place(place.sha, environment[1]), []).append(state)
    return found
