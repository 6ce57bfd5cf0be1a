"""`hookengine deliveries`"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.offering import delivery_ids
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain, relative

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookengine.cli.client import Client

STATUSES: Final = ("queued", "sending", "retrying", "delivered", "failed", "superseded", "cancelled")
FIELDS: Final = {
    "hook": "A hook's id or name.",
    "pipeline": "A pipeline's id or name; digits are an id first.",
    "host": "Whom the request goes to.",
    "lane": "A lane's key.",
    "sha": "A commit, or its first seven digits or more.",
    "code": "Of the last answer: 2xx, 5xx, 503, or none.",
    "outcome": "Of the last attempt, such as timed_out.",
    "event": "An event's id.",
    "type": "An event's type.",
    "action": "An action's id.",
    "replay_of": "The delivery that was asked for again.",
    "because": "A part of the reason.",
}
_BY_ID: Final = click.argument("delivery_id", metavar="ID", shell_complete=delivery_ids)


def _by_field(command: Callable[..., None]) -> Callable[..., None]:
    """An option per field, each of which may be given several times."""
    for name, help_text in reversed(FIELDS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=True, metavar="VALUE", help=help_text)(command)
    return command


@click.group()
def deliveries() -> None:
    """See what is owed and what was tried; send it again, or cancel it."""


@deliveries.command("list")
@click.option(
    "--status", type=click.Choice(STATUSES), multiple=True, metavar="STATUS", help=f"{', '.join(STATUSES)}."
)
@_by_field
@click.option("-q", "q", default="", metavar="QUERY", help="Several at once: 'status:failed code:5xx'.")
@click.option("--since", metavar="TIME", help="RFC 3339, or how long ago, such as 2h.")
@click.option("--until", metavar="TIME", help="As --since.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Go on after the delivery at which the last list ended.")
@output_option
@asks_the_api
def list_deliveries(client: Client, output: str, **wanted: Any) -> None:
    """List deliveries, the newest first."""
    found = client.get("/api/deliveries", {name: value for name, value in wanted.items() if value})
    if showing.as_data(found, output):
        return
    now = showing.now()
    headings = ("ID", "STATUS", "EVENT", "HOOK", "TRIES", "ACCEPTED", "NEXT TRY", "BECAUSE")
    showing.listing("deliveries", headings, [row(item, now) for item in found["items"]])
    showing.more(found["next"])


def row(item: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        item["id"],
        showing.status(item["status"]),
        plain(item["event"]["type"] or ""),
        plain(item["hook"]["name"] or item["hook"]["id"]),
        str(item["attempts_made"]),
        relative(item["accepted_at"], now),
        relative(item["next_attempt_at"], now),
        plain(item["because"] or ""),
    )


@deliveries.command("show")
@_BY_ID
@output_option
@asks_the_api
def show_delivery(client: Client, delivery_id: str, output: str) -> None:
    """Show one delivery: its request, every attempt, and what came of each."""
    from hookengine.cli import one_delivery

    delivery = client.get("/api/deliveries/{}", identity=delivery_id)
    if not showing.as_data(delivery, output):
        one_delivery.show(delivery, showing.now())


@deliveries.command("attempts")
@_BY_ID
@output_option
@asks_the_api
def list_attempts(client: Client, delivery_id: str, output: str) -> None:
    """Show every attempt of one delivery."""
    from hookengine.cli import one_delivery

    found = client.get("/api/deliveries/{}/attempts", identity=delivery_id)
    if not showing.as_data(found, output):
        one_delivery.show_attempts(found["items"], showing.now())
        if not found["items"]:
            click.echo("no attempts", err=True)


@deliveries.command("replay")
@_BY_ID
@click.option(
    "--mode",
    type=click.Choice(["same", "render"]),
    default="same",
    show_default=True,
    help="The same bytes, or what the hook makes of the event today.",
)
@output_option
@asks_the_api
def replay_delivery(client: Client, delivery_id: str, mode: str, output: str) -> None:
    """Send one delivery again, as a new one. Refused where it would put an older status over a newer one."""
    body = json.dumps({"mode": mode}).encode()
    _, answer = client.post("/api/deliveries/{}/replay", body, identity=delivery_id)
    if not showing.as_data(answer, output):
        click.echo(f"{answer['id']} is a replay of {delivery_id}")


@deliveries.command("cancel")
@_BY_ID
@output_option
@asks_the_api
def cancel_delivery(client: Client, delivery_id: str, output: str) -> None:
    """Cancel one delivery that waits. One that is being sent is cancelled unless it succeeds."""
    _, answer = client.post("/api/deliveries/{}/cancel", b"", identity=delivery_id)
    if not showing.as_data(answer, output):
        click.echo(f"{delivery_id} is {showing.status(answer['status'])}")
