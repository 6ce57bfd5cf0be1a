"""`hookengine deployments`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@click.option(
    "--at", metavar="TIME", help="When the alert came: RFC 3339, or how long ago, such as 2h; else now."
)
@click.option(
    "--window", type=int, default=60, show_default=True, metavar="MINUTES", help="Before and after."
)
@click.option(
    "--team", metavar="TEAM", help="Whose alert it is: once a pipeline is theirs, only their own count."
)
@click.option("--type", "type", multiple=True, metavar="TYPE", help="Types of actions, such as deploy.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--before", metavar="PLACE", help="Go on where the last list ended; all else as then.")
@output_option
@asks_the_api
def deployments(client: Client, output: str, **wanted: Any) -> None:
    """Tell what was deployed around an alert, the newest first."""
    found = client.get("/api/deployments", {name: value for name, value in wanted.items() if value})
    if showing.as_data(found, output):
        return
    headings = ("ACTION", "TYPE", "STATUS", "OCCURRED", "PIPELINE", "TEAM", "APPLICATION", "ENVIRONMENT")
    showing.listing("deployments", headings, [_row(item) for item in found["items"]])
    whose = f"the pipelines of {wanted['team']}" if found["scope"] == "team" else "all pipelines"
    click.echo(f"{found['from']} to {found['to']}, {plain(whose)}", err=True)
    showing.more(found.get("next"))


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    action = item["action"]
    known = (item["team"], item["application"], item["environment"])
    return (
        plain(action["id"]),
        plain(action["type"]),
        plain(action["status"]),
        item["occurred_at"],
        plain(item["pipeline"]["name"]),
        *(plain(value or "") for value in known),
    )
