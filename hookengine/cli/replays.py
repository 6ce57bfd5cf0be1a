"""`hookengine replays`"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import NO
from hookengine.cli.offering import replay_ids
from hookengine.cli.options import output_option
from hookengine.cli.progress import progress
from hookengine.cli.showing import plain, relative

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookengine.cli.client import Client

LOOK_EVERY: Final = 1.0  # seconds
_BY_ID: Final = click.argument("replay_id", metavar="ID", shell_complete=replay_ids)


@click.group()
def replays() -> None:
    """Send many deliveries again: plan, start, watch, pause, cancel."""


def _which(command: Callable[..., None]) -> Callable[..., None]:
    options: tuple[Callable[..., Any], ...] = (
        click.option("--mode", type=click.Choice(["same", "render"]), default="same", show_default=True),
        click.option("--until", metavar="TIME", help="As --since."),
        click.option("--since", metavar="TIME", help="RFC 3339, or how long ago, such as 2h."),
        click.option("-q", "q", default="", metavar="QUERY", help="Such as 'status:failed code:5xx'."),
    )
    for option in options:
        command = option(command)
    return command


@replays.command("plan")
@_which
@output_option
@asks_the_api
def plan_replay(client: Client, output: str, **asked: Any) -> None:
    """Tell how many it would be, and what the first ones would send. Nothing begins."""
    _, plan = client.post("/api/replays/plan", _body(asked))
    if showing.as_data(plan, output):
        return
    click.echo(f"{'at least ' if plan['at_least'] else ''}{plan['count']} deliveries")
    for sample in plan["samples"]:
        click.echo(f"\n{sample['delivery']}  {showing.status(sample['status'])}")
        if sample["problem"]:
            click.echo(f"cannot be sent again: {plain(sample['problem'])}")
        else:
            showing.request(sample["request"])


@replays.command("start")
@_which
@click.option("--per-minute", type=click.IntRange(1, 6000), default=300, show_default=True)
@click.option("--wait", is_flag=True, help="Until it has ended; then 1 if some were refused.")
@output_option
@asks_the_api
def start_replay(client: Client, output: str, wait: bool, **asked: Any) -> None:
    """Send all again that the query finds now, the oldest first."""
    _, replay = client.post("/api/replays", _body(asked))
    if wait:
        replay = _watched(client, replay)
    _tell(replay, output)
    if wait and (replay["refused"] or replay["state"] == "cancelled"):
        click.get_current_context().exit(NO)


@replays.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Go on after the replay at which the last list ended.")
@output_option
@asks_the_api
def list_replays(client: Client, output: str, **part: Any) -> None:
    """List replays, the newest first."""
    found = client.get("/api/replays", {name: value for name, value in part.items() if value})
    if showing.as_data(found, output):
        return
    now = showing.now()
    headings = ("ID", "STATE", "DONE", "REFUSED", "TOTAL", "BEGUN")
    rows = [
        (
            item["id"],
            item["state"],
            str(item["replayed"]),
            str(item["refused"]),
            str(item["total"]),
            relative(item["created_at"], now),
        )
        for item in found["items"]
    ]
    showing.listing("replays", headings, rows)
    showing.more(found["next"])


@replays.command("show")
@_BY_ID
@output_option
@asks_the_api
def show_replay(client: Client, replay_id: str, output: str) -> None:
    """Show how far one has come, and why some were refused."""
    _tell(client.get("/api/replays/{}", identity=replay_id), output)


def _switch(name: str, help_text: str) -> None:
    @replays.command(name, help=help_text)
    @_BY_ID
    @output_option
    @asks_the_api
    def switch(client: Client, replay_id: str, output: str) -> None:
        _tell(client.post(f"/api/replays/{{}}/{name}", b"", identity=replay_id)[1], output)


_switch("pause", "Hold one. What was asked for already is sent.")
_switch("resume", "Go on with one that is paused.")
_switch("cancel", "End one for good. What was asked for already is sent.")


def _body(asked: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in asked.items() if value is not None}).encode()


def _tell(replay: dict[str, Any], output: str) -> None:
    if showing.as_data(replay, output):
        return
    click.echo(
        f"{click.style(replay['id'], bold=True)}  {replay['state']}  "
        f"{replay['replayed']} sent again, {replay['refused']} refused, of {replay['total']}"
    )
    for problem in replay["problems"]:
        click.echo(f"  {plain(problem)}")


def _watched(client: Client, replay: dict[str, Any]) -> dict[str, Any]:
    """The replay once it has ended."""
    with progress(replay["total"]) as tell:
        while replay["state"] in ("running", "paused"):
            tell(replay["replayed"] + replay["refused"], replay["state"])
            time.sleep(LOOK_EVERY)
            replay = client.get("/api/replays/{}", identity=replay["id"])
    return replay
