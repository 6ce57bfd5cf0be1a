"""What `hookengine init` writes into the configuration, by whom the first hook tells."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from textwrap import indent
from typing import Final

from hookengine.engine.preview import SAMPLE_COMMIT

PIPELINE: Final = "shop-deploy"
_LINK: Final = "https://deploy.example.com/actions/{{ action.id }}"

_CONTENT: Final = Template("""\
# yaml-language-server: $$schema=./$schema_file
# $$schema: ./$schema_file
# config.example.yaml has every setting. Check changes with `hookengine validate`.

auth:
  tokens:
    main: {file: ./$token_file}

database: sqlite:///./hookengine.db

secrets:
  key_file: ./$key_file
  # $purpose: a variable in serve's environment, and where it may go.
  $name: {env: $variable, hosts: [$api]}

pipelines:
  - id: 1
    name: $pipeline
    operation: deploy
$incoming
    hooks:
      # $meaning
$hook""")

_INCOMING: Final = Template("""
    incoming_hooks:
      # Where $name tells of $event; each one starts a deploy. Whoever knows the id can start one, too.
      - id: $hook_id
        name: $event
        variables:
          - {name: commit_hash, path: $commit, required: true}
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """`blanks` are the lines under `with:` of the preset; `commit` is where the body of its incoming hook's `event`
    has the hash, if there is one."""

    preset: str
    hook: str = "commit status"
    meaning: str = "One status of the commit, from queued to completed or failed."
    api: str
    variable: str
    purpose: str = "The token that statuses are written with"
    blanks: tuple[str, ...]
    signed: bool = False
    event: str = ""
    commit: str = ""

    def content(self, name: str, files: Mapping[str, str]) -> str:
        """`files` are the names of those that lie beside it."""
        said = {"name": name, "pipeline": PIPELINE, "hook_id": str(uuid.uuid4()), **files}
        own = {
            key: getattr(self, key) for key in ("api", "variable", "purpose", "meaning", "event", "commit")
        }
        incoming = _INCOMING.substitute(said, **own) if self.event else ""
        return _CONTENT.substitute(said, **own, incoming=incoming, hook=self._hook(name))

    def _hook(self, name: str) -> str:
        lines = (
            f"- preset: {self.preset}",
            f"  name: {self.hook}",
            *((f"  signing: {name}",) if self.signed else ()),
            "  with:",
            *(f"    {blank}" for blank in self.blanks),
        )
        return indent("\n".join(lines) + "\n", " " * 6)

    @property
    def facts(self) -> tuple[str, ...]:
        """What the first event has to tell beside its action."""
        if not self.event:
            return ()
        return (f"action.triggered_from.hook_parsed_variables.commit_hash={SAMPLE_COMMIT}",)


def _statuses(place: str, name: str, label: str = "context") -> tuple[str, ...]:
    return (
        place,
        f'token: "{{{{ secrets.{name} }}}}"',
        f"{label}: ci/shop(deploy)",
        f'target_url: "{_LINK}"',
    )


BEGINNINGS: Final[Mapping[str, Beginning]] = {
    "github": Beginning(
        preset="github/commit-status",
        api="api.github.com",
        variable="GITHUB_TOKEN",
        blanks=_statuses("repository: acme/shop", "github"),
        event="pull requests",
        commit="pull_request.head.sha",
    ),
    "gitlab": Beginning(
        preset="gitlab/commit-status",
        api="gitlab.com",
        variable="GITLAB_TOKEN",
        blanks=_statuses("project: acme/shop", "gitlab"),
        event="merge requests",
        commit="object_attributes.last_commit.id",
    ),
    "bitbucket": Beginning(
        preset="bitbucket/commit-status",
        api="api.bitbucket.org",
        variable="BITBUCKET_TOKEN",
        blanks=_statuses("repository: acme/shop", "bitbucket", "key"),
        event="pull requests",
        commit="pullrequest.source.commit.hash",
    ),
    "slack": Beginning(
        preset="slack/message",
        hook="tell the channel",
        meaning="One message per state of an action.",
        api="slack.com",
        variable="SLACK_TOKEN",
        purpose="The token of a Slack app that may write to the channel",
        blanks=("channel: C0123456789", 'token: "{{ secrets.slack }}"', f'target_url: "{_LINK}"'),
    ),
    "webhook": Beginning(
        preset="webhook/signed-json",
        hook="tell the service",
        meaning="One signed message per state of an action, as Standard Webhooks says.",
        api="service.example.com",
        variable="SERVICE_SECRET",
        purpose="What messages are signed with, such as `openssl rand -base64 32` after whsec_",
        blanks=("url: https://service.example.com/deploys",),
        signed=True,
    ),
}
