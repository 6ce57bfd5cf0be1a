"""`hookengine tokens`: create, list, revoke"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookengine.cli.client import Client

SCOPES: Final = (
    "emit",
    "hooks:read",
    "hooks:write",
    "secrets:write",
    "deliveries:read",
    "deliveries:replay",
    "admin",
)

_PATH: Final = "/api/tokens"


@click.group()
def tokens() -> None:
    """API tokens: who may come in, and what for.

    The text of a token is shown once and kept nowhere. Running nodes notice within a second. Tokens that the
    configuration file names under auth.tokens are not listed here.
    """


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    metavar="SCOPE",
    help=f"What it is for; repeatable: {', '.join(SCOPES)}.",
)
@click.option("--team", metavar="TEAM", help="For the pipelines of this team only.")
@click.option("--pipeline", type=int, metavar="ID", help="For this pipeline only.")
@output_option
@asks_the_api
def create(
    client: Client, name: str, scopes: Sequence[str], team: str | None, pipeline: int | None, output: str
) -> None:
    """Make a token called NAME."""
    wanted = {"name": name, "scopes": scopes, "team": team, "pipeline": pipeline}
    _, token = client.post(_PATH, json.dumps(wanted).encode())
    if not showing.as_data(token, output):
        click.echo(f"{plain(token['name'])} ({token['id']}) may {', '.join(token['scopes'])}{_bound(token)}")
        click.echo(f"The token, this once: {click.style(token['token'], bold=True)}")


@tokens.command("list")
@output_option
@asks_the_api
def list_all(client: Client, output: str) -> None:
    """Those that were made and not revoked, the oldest first."""
    found = client.get(_PATH)
    if showing.as_data(found, output):
        return
    rows = [
        (
            token["id"],
            plain(token["name"]),
            token["created_at"],
            f"{' '.join(token['scopes'])}{_bound(token)}",
        )
        for token in found["items"]
    ]
    showing.listing("tokens", ("ID", "NAME", "MADE", "SCOPES"), rows)


@tokens.command()
@click.argument("token_id", metavar="ID")
@asks_the_api
def revoke(client: Client, token_id: str) -> None:
    """Let nobody in any more who has the token of this ID."""
    client.send("DELETE", f"{_PATH}/{{}}", identity=token_id)
    click.echo(f"{plain(token_id)} is revoked")


def _bound(token: dict[str, Any]) -> str:
    if token["team"] is not None:
        return f", for team {plain(token['team'])}"
    return "" if token["pipeline"] is None else f", for pipeline {token['pipeline']}"
