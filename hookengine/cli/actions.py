"""`hookengine actions`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.offering import action_ids
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain, relative

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.group()
def actions() -> None:
    """See runs of pipelines and what became of their news."""


@actions.command("list")
@click.option("--pipeline", metavar="ID|NAME")
@click.option("--status", metavar="STATUS", help="Such as in-progress or failed.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", metavar="PLACE", help="Go on where the last list ended.")
@output_option
@asks_the_api
def list_actions(client: Client, output: str, **wanted: Any) -> None:
    """List actions, those heard of last first."""
    found = client.get("/api/actions", wanted)
    if showing.as_data(found, output):
        return
    now = showing.now()
    showing.listing(
        "actions",
        ("ID", "STATUS", "PIPELINE", "TYPE", "NUMBER", "UPDATED"),
        [
            (
                plain(item["id"]),
                plain(item["status"] or ""),
                plain(item["pipeline"]["name"] or item["pipeline"]["id"]),
                plain(item["type"] or ""),
                "" if item["number"] is None else str(item["number"]),
                relative(item["updated_at"], now),
            )
            for item in found["items"]
        ],
    )
    showing.more(found["next"])


@actions.command("show")
@click.argument("action_id", metavar="ID", shell_complete=action_ids)
@click.option("--pipeline", metavar="ID|NAME", help="Where several have an action of this id.")
@output_option
@asks_the_api
def show_action(client: Client, action_id: str, pipeline: str | None, output: str) -> None:
    """Show an action's events, its deliveries, and what each target shows now."""
    action = client.get("/api/actions/{}", {"pipeline": pipeline}, identity=action_id)
    if showing.as_data(action, output):
        return
    now = showing.now()
    click.echo(f"{click.style(plain(action['id']), bold=True)}  {plain(action['status'] or '')}")
    click.echo()
    showing.facts(
        [
            ("pipeline", plain(f"{action['pipeline']['id']}  {action['pipeline']['name'] or ''}")),
            ("type", plain(action["type"] or "")),
            ("updated", f"{action['updated_at']}  {relative(action['updated_at'], now)}"),
        ]
    )
    click.echo()
    for event in action["events"]:
        click.echo(f"{event['accepted_at']}  {plain(event['type'])}  {plain(event['id'])}")
    for target in action["targets"]:
        click.echo()
        showing.target(target)
    showing.cut(action)
