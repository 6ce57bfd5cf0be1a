"""`hookengine hooks` and `hookengine pipelines`"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import AnswerIsNo, Misused
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_HOOKS: Final = "/api/hooks"
_PIPELINES: Final = "/api/pipelines"
_COLOURS: Final[dict[str, dict[str, Any]]] = {
    "active": {"fg": "green"},
    "paused": {"fg": "yellow"},
    "disabled": {"dim": True},
}


@click.group()
def hooks() -> None:
    """See hooks, and switch them on, off or to paused."""


@hooks.command("list")
@click.option("--pipeline", metavar="NAME|ID", help="Only those of this pipeline.")
@click.option("--state", type=click.Choice(list(_COLOURS)), metavar="STATE", help=f"{', '.join(_COLOURS)}.")
@output_option
@asks_the_api
def list_hooks(pipeline: str | None, state: str | None, output: str, client: Client) -> None:
    """List hooks, by their ids."""
    names = _names(client)
    wanted = None if pipeline is None else _pipeline(pipeline, names)
    found = [
        hook
        for hook in client.all(_HOOKS)
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
@click.argument("name", metavar="NAME|ID")
@output_option
@asks_the_api
def show_hook(name: str, output: str, client: Client) -> None:
    """Show one hook: what it wants, and the request it makes."""
    hook = _hook(client, name)
    if not showing.as_data(hook, output):
        showing.as_data(hook, "yaml")


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@asks_the_api
def enable(name: str, client: Client) -> None:
    """Switch a hook on; what it owed while it was paused is delivered."""
    _switch(client, name, "enable")


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@click.argument("reason")
@asks_the_api
def disable(name: str, reason: str, client: Client) -> None:
    """Switch a hook off: it wants nothing new, and what it owed is cancelled."""
    _switch(client, name, "disable", reason)


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@click.argument("reason")
@asks_the_api
def pause(name: str, reason: str, client: Client) -> None:
    """Let what a hook owes wait, until it is enabled again."""
    _switch(client, name, "pause", reason)


def _switch(client: Client, name: str, verb: str, reason: str = "") -> None:
    hook = _hook(client, name)
    body = json.dumps({"reason": reason} if reason else {}).encode()
    _, switched = client.post(f"{_HOOKS}/{{}}/{verb}", body, identity=hook["id"])
    click.echo(f"hook {plain(hook['name'])} is {switched['state']}")


@click.group()
def pipelines() -> None:
    """See pipelines."""


@pipelines.command("list")
@output_option
@asks_the_api
def list_pipelines(output: str, client: Client) -> None:
    """List pipelines, by their ids."""
    found = client.all(_PIPELINES)
    if showing.as_data({"items": found}, output):
        return
    headings = ("ID", "NAME", "OPERATION", "TEAM", "APPLICATION", "ENVIRONMENT", "MANAGED BY")
    keys = ("id", "name", "operation", "team", "application", "environment", "managed_by")
    rows = [tuple(plain(pipeline.get(key) or "") for key in keys) for pipeline in found]
    showing.listing("pipelines", headings, rows)


@pipelines.command("show")
@click.argument("name", metavar="NAME|ID")
@output_option
@asks_the_api
def show_pipeline(name: str, output: str, client: Client) -> None:
    """Show one pipeline."""
    found = client.all(_PIPELINES)
    wanted = _pipeline(name, {pipeline["id"]: pipeline["name"] for pipeline in found})
    (pipeline,) = [pipeline for pipeline in found if pipeline["id"] == wanted]
    if not showing.as_data(pipeline, output):
        showing.as_data(pipeline, "yaml")


def _hook(client: Client, name: str) -> dict[str, Any]:
    known = client.all(_HOOKS)
    found = [hook for hook in known if hook["id"] == name] or [hook for hook in known if hook["name"] == name]
    if len(found) > 1:
        ids = ", ".join(hook["id"] for hook in found)
        raise Misused(f"{len(found)} hooks have the name '{name}'; say which one: {ids}")
    if not found:
        raise _unknown("hook", name, [word for hook in known for word in (hook["name"], hook["id"])])
    return found[0]


def _names(client: Client) -> dict[int, str]:
    return {pipeline["id"]: pipeline["name"] for pipeline in client.all(_PIPELINES)}


def _pipeline(reference: str, names: dict[int, str]) -> int:
    by_name = {name: pipeline_id for pipeline_id, name in names.items()}
    by_id = {str(pipeline_id): pipeline_id for pipeline_id in names}
    found = by_name.get(reference, by_id.get(reference))
    if found is None:
        raise _unknown("pipeline", reference, list(by_name))
    return found


def _unknown(kind: str, name: str, known: Sequence[str]) -> AnswerIsNo:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return AnswerIsNo(f"there is no {kind} '{name}'{f', did you mean {near[0]!r}?' if near else ''}")
