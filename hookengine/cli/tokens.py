"""`hookengine tokens`: create, list, revoke"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli import showing
from hookengine.cli.options import config_option, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookengine.domain.token import Token


@click.group()
def tokens() -> None:
    """API tokens: who may come in, and what for.

    The text of a token is shown once and kept nowhere. All of this works beside running nodes, which notice within
    a second. Tokens that the configuration file names under auth.tokens are not listed here.
    """


@tokens.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, metavar="SCOPE", help="What it is for; repeatable."
)
@click.option("--team", metavar="TEAM", help="For the pipelines of this team only.")
@click.option("--pipeline", type=int, metavar="ID", help="For this pipeline only.")
@config_option
def create(name: str, scopes: Sequence[str], team: str | None, pipeline: int | None, config: Path) -> None:
    """Make a token called NAME.

    The scopes: emit, hooks:read, hooks:write, secrets:write, deliveries:read, deliveries:replay, admin.
    """
    from hookengine.app.token_keeping import create_token

    token, text = create_token(_url(config), name, scopes, team, pipeline)
    click.echo(f"{token.name} ({token.id}) may {', '.join(sorted(token.scopes))}{_bound(token)}")
    click.echo(f"The token, this once: {click.style(text, bold=True)}")


@tokens.command("list")
@output_option
@config_option
def list_all(output: str, config: Path) -> None:
    """Those that were made and not revoked, the oldest first."""
    from hookengine.app.token_keeping import list_tokens

    kept = list_tokens(_url(config))
    if showing.as_data([token.shown() for token in kept], output):
        return
    for token in kept:
        made = token.shown()["created_at"]
        click.echo(f"{token.id}  {made}  {token.name:24}  {' '.join(sorted(token.scopes))}{_bound(token)}")
    if not kept:
        click.echo("none")


@tokens.command()
@click.argument("token_id", metavar="ID")
@config_option
def revoke(token_id: str, config: Path) -> None:
    """Let nobody in any more who has the token of this ID."""
    from hookengine.app.token_keeping import revoke_token

    revoke_token(_url(config), token_id)
    click.echo(f"{token_id} is revoked")


def _url(config: Path) -> str:
    """Of the database, brought to the newest tables."""
    from hookengine.cli.checking import newest_database
    from hookengine.config import load_settings

    return newest_database(load_settings(config, os.environ))


def _bound(token: Token) -> str:
    if token.team is not None:
        return f", for team {token.team}"
    return "" if token.pipeline_id is None else f", for pipeline {token.pipeline_id}"
