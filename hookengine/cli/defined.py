"""`hookengine hooks` and `hookengine pipelines`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import hook_changes, offering, showing, trying
from hookengine.cli.asking import asks_the_api
from hookengine.cli.finding import HOOKS, PIPELINES, hook_called, pipeline_called, pipeline_names
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_COLOURS: Final[dict[str, dict[str, Any]]] = {
    "active": {"fg": "green"},
    "paused": {"fg": "yellow"},
    "disabled": {"dim": True},
}


@click.group()
def hooks() -> None:
    """See hooks, make and change them, try them out, and switch them on, off or to paused."""


for _command in (
    hook_changes.create,
    hook_changes.edit,
    hook_changes.delete,
    hook_changes.versions,
    trying.preview,
):
    hooks.add_command(_command)


@hooks.command("list")
@click.option(
    "--pipeline",
    metavar="NAME|ID",
    shell_complete=offering.pipeline_names,
    help="Only those of this pipeline.",
)
@click.option("--state", type=click.Choice(list(_COLOURS)), metavar="STATE", help=f"{', '.join(_COLOURS)}.")
@output_option
@asks_the_api
def list_hooks(pipeline: str | None, state: str | None, output: str, client: Client) -> None:
    """List hooks, by their ids."""
    names = pipeline_names(client)
    wanted = None if pipeline is None else pipeline_called(pipeline, names)
    found = [
        hook
        for hook in client.all(HOOKS)
        if state in (None, hook["state"]) and (pipeline is None or hook["pipeline"] == wanted)
    ]
    if showing.as_data({"items": found}, output):
        return
    headings = ("ID", "STATE", "NAME", "PIPELINE", "EVENTS", "MANAGED BY", "BECAUSE")
    showing.listing("hooks", headings, [_row(hook, names) for hook in found])


def _row(hook: dict[str, Any], names: dict[int, str]) -> tuple[str, ...]:
    return (
        hook["id"],
        click.style(hook["state"], **_COLOURS[hook["state"]]),
        plain(hook["name"]),
        "(all)" if hook["pipeline"] is None else plain(names.get(hook["pipeline"], hook["pipeline"])),
        " ".join(hook["trigger_when"]["events"]),
        plain(hook["managed_by"]),
        plain(hook["because"] or ""),
    )


@hooks.command("show")
@click.argument("name", metavar="NAME|ID", shell_complete=offering.hook_names)
@output_option
@asks_the_api
def show_hook(name: str, output: str, client: Client) -> None:
    """Show one hook: what it wants, and the request it makes."""
    hook = hook_called(client, name)
    if not showing.as_data(hook, output):
        showing.as_data(hook, "yaml")


@hooks.command()
@click.argument("name", metavar="NAME|ID", shell_complete=offering.hook_names)
@output_option
@asks_the_api
def enable(name: str, output: str, client: Client) -> None:
    """Switch a hook on; what it owed while it was paused is delivered."""
    _switch(client, name, "enable", "", output)


@hooks.command()
@click.argument("name", metavar="NAME|ID", shell_complete=offering.hook_names)
@click.argument("reason")
@output_option
@asks_the_api
def disable(name: str, reason: str, output: str, client: Client) -> None:
    """Switch a hook off: it wants nothing new, and what it owed is cancelled."""
    _switch(client, name, "disable", reason, output)


@hooks.command()
@click.argument("name", metavar="NAME|ID", shell_complete=offering.hook_names)
@click.argument("reason")
@output_option
@asks_the_api
def pause(name: str, reason: str, output: str, client: Client) -> None:
    """Let what a hook owes wait, until it is enabled again."""
    _switch(client, name, "pause", reason, output)


def _switch(client: Client, name: str, verb: str, reason: str, output: str) -> None:
    hook = hook_called(client, name)
    body = json.dumps({"reason": reason} if reason else {}).encode()
    _, switched = client.post(f"{HOOKS}/{{}}/{verb}", body, identity=hook["id"])
    if not showing.as_data(switched, output):
        click.echo(f"hook {plain(hook['name'])} is {switched['state']}")


@click.group()
def pipelines() -> None:
    """See pipelines."""


@pipelines.command("list")
@output_option
@asks_the_api
def list_pipelines(output: str, client: Client) -> None:
    """List pipelines, by their ids."""
    found = client.all(PIPELINES)
    if showing.as_data({"items": found}, output):
        return
    headings = ("ID", "NAME", "OPERATION", "TEAM", "APPLICATION", "ENVIRONMENT", "MANAGED BY")
    keys = ("id", "name", "operation", "team", "application", "environment", "managed_by")
    rows = [tuple(plain(pipeline.get(key) or "") for key in keys) for pipeline in found]
    showing.listing("pipelines", headings, rows)


@pipelines.command("show")
@click.argument("name", metavar="NAME|ID", shell_complete=offering.pipeline_names)
@output_option
@asks_the_api
def show_pipeline(name: str, output: str, client: Client) -> None:
    """Show one pipeline."""
    found = client.all(PIPELINES)
    wanted = pipeline_called(name, {pipeline["id"]: pipeline["name"] for pipeline in found})
    (pipeline,) = [pipeline for pipeline in found if pipeline["id"] == wanted]
    if not showing.as_data(pipeline, output):
        showing.as_data(pipeline, "yaml")
