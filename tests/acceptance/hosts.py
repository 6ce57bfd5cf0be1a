"""The three hosts: how their statuses are written, and what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookengine.simulators import Bitbucket, GitHub, GitLab, Host
from tests.acceptance.configs import Config, a_hook, sha_of

CONTEXT = "ci/shop(build)"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One family of hosts: how its statuses are written, with three hooks or with its preset."""

    simulator: type[Host]
    api: str
    path: str
    preset: str
    repository: str
    states: Mapping[str, str]
    fields: Mapping[str, str]

    def three_hooks(self, address: str, **changes: Any) -> list[Config]:
        """As an admin writes them: of one name, and different in state and event only."""
        url = address + self.path.format(sha="{{ action.triggered_from.hook_parsed_variables.commit_hash }}")
        return [
            a_hook(
                url,
                f"action.{kind}",
                name=f"{self.preset} build",
                body={"state": state, **self.fields},
                headers={"Authorization": "Bearer {{ secrets.host }}"},
                **changes,
            )
            for kind, state in self.states.items()
        ]

    def preset_hook(self, address: str, **changes: Any) -> Config:
        return {
            "preset": self.preset,
            "with": {
                "base_url": address + self.api,
                self.repository: "acme/shop",
                "token": "{{ secrets.host }}",
                self.context_blank: CONTEXT,
                "target_url": "https://deploy.example/actions/{{ action.id }}",
            },
            "retry": {"waits": ["1m"], "jitter": 0},
            **changes,
        }

    @property
    def context_blank(self) -> str:
        return "key" if self.simulator is Bitbucket else "context"


GITHUB = Kind(
    simulator=GitHub,
    api="",
    path="/repos/acme/shop/statuses/{sha}",
    preset="github/commit-status",
    repository="repository",
    states={"started": "pending", "completed": "success", "failed": "failure"},
    fields={"context": CONTEXT, "target_url": "https://deploy.example/actions/{{ action.id }}"},
)

GITLAB = Kind(
    simulator=GitLab,
    api="/api/v4",
    path="/api/v4/projects/acme%2Fshop/statuses/{sha}",
    preset="gitlab/commit-status",
    repository="project",
    states={"started": "running", "completed": "success", "failed": "failed"},
    fields={"name": CONTEXT, "target_url": "https://deploy.example/actions/{{ action.id }}"},
)

BITBUCKET = Kind(
    simulator=Bitbucket,
    api="/2.0",
    path="/2.0/repositories/acme/shop/commit/{sha}/statuses/build",
    preset="bitbucket/commit-status",
    repository="repository",
    states={"started": "INPROGRESS", "completed": "SUCCESSFUL", "failed": "FAILED"},
    fields={"key": CONTEXT, "url": "https://deploy.example/actions/{{ action.id }}"},
)

KINDS = (GITHUB, GITLAB, BITBUCKET)


def states(host: Host, commit: int) -> dict[str, str]:
    return {context: shown.state for context, shown in host.shown("acme/shop", sha_of(commit)).items()}


def sent(host: Host, name: str = "state") -> Sequence[Any]:
    return [received.body.get(name) for received in host.received]
