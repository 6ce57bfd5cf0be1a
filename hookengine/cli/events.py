"""`hookengine events`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import Misused
from hookengine.cli.offering import event_ids
from hookengine.cli.options import output_option, text_of
from hookengine.cli.showing import plain, relative

if TYPE_CHECKING:
    from hookengine.cli.client import Client


_of_pipeline = click.option(
    "--pipeline", metavar="ID|NAME", help="Needed where several pipelines have an event of this ID."
)


@click.group()
def events() -> None:
    """See what platforms told, and which hooks it matched."""


@events.command("list")
@click.option("--type", metavar="TYPE", help="Such as action.failed.")
@click.option("--pipeline", metavar="ID|NAME")
@click.option("--action", metavar="ID")
@click.option("--since", metavar="TIME", help="RFC 3339, or how long ago, such as 2h.")
@click.option("--until", metavar="TIME", help="As --since.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", metavar="PLACE", help="Go on where the last list ended.")
@output_option
@asks_the_api
def list_events(client: Client, output: str, **wanted: Any) -> None:
    """List events, the newest first."""
    found = client.get("/api/events", wanted)
    if showing.as_data(found, output):
        return
    now = showing.now()
    showing.listing(
        "events",
        ("ID", "TYPE", "ACTION", "PIPELINE", "HOOKS", "ACCEPTED"),
        [
            (
                plain(item["id"]),
                plain(item["type"]),
                plain(item["action"]["id"]),
                plain(item["action"]["pipeline"]["name"]),
                str(len(item["hooks"])),
                relative(item["accepted_at"], now),
            )
            for item in found["items"]
        ],
    )
    showing.more(found["next"])


@events.command("show")
@click.argument("event_id", metavar="ID", shell_complete=event_ids)
@_of_pipeline
@output_option
@asks_the_api
def show_event(client: Client, event_id: str, pipeline: str | None, output: str) -> None:
    """Show an event's data and the deliveries it owes."""
    event = client.get("/api/events/{}", {"pipeline": pipeline}, identity=event_id)
    if showing.as_data(event, output):
        return
    click.echo(f"{click.style(plain(event['id']), bold=True)}  {plain(event['type'])}")
    click.echo()
    showing.facts([("occurred", event["occurred_at"]), ("accepted", event["accepted_at"])])
    click.echo()
    click.echo(plain(json.dumps(event["data"], indent=2, ensure_ascii=False)))
    for item in event["deliveries"]:
        hook = plain(item["hook"]["name"] or item["hook"]["id"])
        click.echo(f"\n{item['id']}  {showing.status(item['status'])}  {hook}  {plain(item['because'])}")
    showing.cut(event)


@events.command("explain")
@click.argument("event_id", metavar="ID", required=False, shell_complete=event_ids)
@click.option("-f", "--file", metavar="FILE", help="An event that was not sent, as JSON; - is stdin.")
@_of_pipeline
@output_option
@asks_the_api
def explain_event(
    client: Client, event_id: str | None, file: str | None, pipeline: str | None, output: str
) -> None:
    """Tell which hooks an event matches, and what keeps the others from it."""
    if (event_id is None) == (file is None):
        raise Misused("give the ID of an event, or one that was not sent with --file")
    if file is not None:
        _, explained = client.post("/api/events/explain", text_of(file).encode())
    else:
        explained = client.get("/api/events/{}/explain", {"pipeline": pipeline}, identity=event_id or "")
    if showing.as_data(explained, output):
        return
    for hook in explained["hooks"]:
        said = click.style("matches", fg="green") if hook["matches"] else "does not match"
        why = f": {plain(hook['why_not'])}" if hook["why_not"] else ""
        owed = f"  ({hook['delivery']})" if hook["delivery"] else ""
        click.echo(f"{plain(hook['name'])}  {said}{why}{owed}")
    if not explained["hooks"]:
        click.echo("its pipeline has no hooks", err=True)
