"""`hookengine init`"""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import click

from hookengine.cli.failing import AnswerIsNo
from hookengine.engine.preview import SAMPLE_COMMIT
from hookengine.guard.key_file import new_key_file

CONFIG, KEY, TOKEN = Path("config.yaml"), Path("hookengine.key"), Path("hookengine.token")
PIPELINE, HOOK = "shop-deploy", "commit status"

CONTENT: Final = Template("""\
# config.example.yaml has every setting. Check changes with `hookengine validate`.

auth:
  tokens:
    main: {file: ./$token_file}

database: sqlite:///./hookengine.db

secrets:
  key_file: ./$key_file
  # The token that statuses are written with: a variable in serve's environment, and where it may go.
  $host: {env: $variable, hosts: [$api]}

pipelines:
  - id: 1
    name: $pipeline
    operation: deploy

    incoming_hooks:
      # Where $host tells of $event; each one starts a deploy. Whoever knows the id can start one, too.
      - id: $hook_id
        name: $event
        variables:
          - {name: commit_hash, path: $commit, required: true}

    hooks:
      # One status of the commit, from queued to completed or failed.
      - preset: $host/commit-status
        name: $hook
        with:
          $place
          token: "{{ secrets.$host }}"
          $label: ci/shop(deploy)
          target_url: "https://deploy.example.com/actions/{{ action.id }}"
""")


@dataclass(frozen=True, slots=True)
class Host:
    """What differs in the configuration between hosts of repositories."""

    api: str
    variable: str
    event: str
    commit: str  # where the body of that event has the hash
    place: str
    label: str = "context"


HOSTS: Final[Mapping[str, Host]] = {
    "github": Host(
        "api.github.com", "GITHUB_TOKEN", "pull requests", "pull_request.head.sha", "repository: acme/shop"
    ),
    "gitlab": Host(
        "gitlab.com",
        "GITLAB_TOKEN",
        "merge requests",
        "object_attributes.last_commit.id",
        "project: acme/shop",
    ),
    "bitbucket": Host(
        "api.bitbucket.org",
        "BITBUCKET_TOKEN",
        "pull requests",
        "pullrequest.source.commit.hash",
        "repository: acme/shop",
        "key",
    ),
}


@click.command()
@click.argument("host", type=click.Choice(list(HOSTS)), default="github")
def init(host: str) -> None:
    """Write a configuration, a key and a token into this folder; HOST is where the commits are.

    Nothing that is here already is changed.
    """
    if CONFIG.exists():
        raise AnswerIsNo(f"{CONFIG} is here already; nothing was written")
    fresh = _new_token()
    _say(KEY, "seals secrets in the database; keep it, and keep it to yourself", made=_new_key())
    _say(TOKEN, "the API token", made=fresh is not None)
    CONFIG.write_text(_content(host), encoding="utf-8")
    _say(CONFIG, f"one pipeline, and the commit status it writes on {host}", made=True)
    if fresh is not None:
        click.echo(f"\nThe API token, this once: {click.style(fresh, bold=True)}")
    click.echo("\nNext:")
    for command in _next():
        click.echo(f"  {command}")


def _content(host: str) -> str:
    chosen = HOSTS[host]
    return CONTENT.substitute(
        {name: getattr(chosen, name) for name in Host.__dataclass_fields__},
        host=host,
        hook_id=uuid.uuid4(),
        token_file=TOKEN,
        pipeline=PIPELINE,
        hook=HOOK,
        key_file=KEY,
    )


def _next() -> tuple[str, ...]:
    return (
        f"hookengine render --hook {shlex.quote(HOOK)} --event sample:action.started",
        "hookengine serve",
        f"hookengine emit action.started --pipeline {PIPELINE} --action 1 --token-file {TOKEN} \\",
        f"  --set action.triggered_from.hook_parsed_variables.commit_hash={SAMPLE_COMMIT}",
    )


def _new_key() -> bool:
    try:
        new_key_file(KEY)
    except FileExistsError:
        return False
    return True


def _new_token() -> str | None:
    """None if there is one already."""
    from hookengine.guard.tokens import new_token

    token = new_token().text
    try:
        handle = os.open(TOKEN, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def _say(file: Path, what: str, *, made: bool) -> None:
    said = "written" if made else "kept, it was here already"
    click.echo(f"{file!s:16}  {said if not made else what}")
