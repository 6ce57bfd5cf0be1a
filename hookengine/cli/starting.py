"""`hookengine init`"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from hookengine.cli.beginnings import BEGINNINGS, PIPELINE, Beginning
from hookengine.cli.failing import AnswerIsNo
from hookengine.guard.key_file import new_key_file

CONFIG, KEY, TOKEN, SCHEMA = map(
    Path, ("config.yaml", "hookengine.key", "hookengine.token", "hookengine.schema.json")
)


@click.command()
@click.argument(
    "told", metavar=f"[{'|'.join(BEGINNINGS)}]", type=click.Choice(list(BEGINNINGS)), default="github"
)
def init(told: str) -> None:
    """Write a configuration, a key and a token into this folder, with a hook that tells GitHub, GitLab or Bitbucket of
    commits, a channel of Slack, or a service of your own.

    Nothing that is here already is changed.
    """
    if CONFIG.exists():
        raise AnswerIsNo(f"{CONFIG} is here already; nothing was written")
    beginning = BEGINNINGS[told]
    fresh = _new_token()
    _say(KEY, "seals secrets in the database; keep it, and keep it to yourself", made=_new_key())
    _say(TOKEN, "the API token", made=fresh is not None)
    _say(SCHEMA, "helps editors with the configuration", made=_new_schema())
    files = {"token_file": str(TOKEN), "key_file": str(KEY), "schema_file": str(SCHEMA)}
    CONFIG.write_text(beginning.content(told, files), encoding="utf-8")
    _say(CONFIG, f"one pipeline, and a hook of it, '{beginning.hook}'", made=True)
    if fresh is not None:
        click.echo(f"\nThe API token, this once: {click.style(fresh, bold=True)}")
    click.echo("\nNext:")
    for command in _next(beginning):
        click.echo(f"  {command}")


def _next(beginning: Beginning) -> Iterator[str]:
    yield f"hookengine render --hook {shlex.quote(beginning.hook)} --event sample:action.started"
    yield "hookengine serve"
    emit = f"hookengine emit action.started --pipeline {PIPELINE} --action 1 --token-file {TOKEN}"
    yield " \\\n    ".join([emit, *(f"--set {fact}" for fact in beginning.facts)])
    yield f"hookengine deliveries list --token-file {TOKEN}"


def _new_schema() -> bool:
    if SCHEMA.exists():
        return False
    from hookengine.cli.schema import of_the_file

    SCHEMA.write_text(json.dumps(of_the_file(), indent=2) + "\n", encoding="utf-8")
    return True


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
    click.echo(f"{file!s:22}  {said if not made else what}")
