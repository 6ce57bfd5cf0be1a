"""`hookengine hooks` and `hookengine pipelines`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.failing import AnswerIsNo, Misused
from hookengine.cli.options import database_or_server, output_option
from hookengine.cli.places import Place, place_of
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
    """See hooks, and switch them on, off or to paused."""


@hooks.command("list")
@click.option("--pipeline", metavar="NAME|ID", help="Only those of this pipeline.")
@click.option("--state", type=click.Choice(list(_COLOURS)), metavar="STATE", help=f"{', '.join(_COLOURS)}.")
@output_option
@database_or_server
def list_hooks(
    pipeline: str | None, state: str | None, output: str, client: Client | None, config: Path
) -> None:
    """List hooks, by their ids."""
    place = place_of(client, config)
    names = _names(place)
    wanted = None if pipeline is None else _pipeline(pipeline, names)
    found = [
        hook
        for hook in place.hooks()
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
@database_or_server
def show_hook(name: str, output: str, client: Client | None, config: Path) -> None:
    """Show one hook: what it wants, and the request it makes."""
    hook = _hook(place_of(client, config), name)
    if not showing.as_data(hook, output):
        showing.as_data(hook, "yaml")


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@database_or_server
def enable(name: str, client: Client | None, config: Path) -> None:
    """Switch a hook on; what it owed while it was paused is delivered."""
    _switch(client, config, name, "active", "")


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@click.argument("reason")
@database_or_server
def disable(name: str, reason: str, client: Client | None, config: Path) -> None:
    """Switch a hook off: it wants nothing new, and what it owed is cancelled."""
    _switch(client, config, name, "disabled", reason)


@hooks.command()
@click.argument("name", metavar="NAME|ID")
@click.argument("reason")
@database_or_server
def pause(name: str, reason: str, client: Client | None, config: Path) -> None:
    """Let what a hook owes wait, until it is enabled again."""
    _switch(client, config, name, "paused", reason)


def _switch(client: Client | None, config: Path, name: str, state: str, reason: str) -> None:
    place = place_of(client, config)
    hook = _hook(place, name)
    place.switch(hook["id"], state, reason)
    click.echo(f"hook {plain(hook['name'])} is {state}")


@click.group()
def pipelines() -> None:
    """See pipelines."""


@pipelines.command("list")
@output_option
@database_or_server
def list_pipelines(output: str, client: Client | None, config: Path) -> None:
    """List pipelines, by their ids."""
    found = place_of(client, config).pipelines()
    if showing.as_data({"items": found}, output):
        return
    headings = ("ID", "NAME", "OPERATION", "TEAM", "APPLICATION", "ENVIRONMENT", "MANAGED BY")
    keys = ("id", "name", "operation", "team", "application", "environment", "managed_by")
    rows = [tuple(plain(pipeline.get(key) or "") for key in keys) for pipeline in found]
    showing.listing("pipelines", headings, rows)


@pipelines.command("show")
@click.argument("name", metavar="NAME|ID")
@output_option
@database_or_server
def show_pipeline(name: str, output: str, client: Client | None, config: Path) -> None:
    """Show one pipeline."""
    found = place_of(client, config).pipelines()
    wanted = _pipeline(name, {pipeline["id"]: pipeline["name"] for pipeline in found})
    (pipeline,) = [pipeline for pipeline in found if pipeline["id"] == wanted]
    if not showing.as_data(pipeline, output):
        showing.as_data(pipeline, "yaml")


def _hook(place: Place, name: str) -> dict[str, Any]:
    known = place.hooks()
    found = [hook for hook in known if hook["id"] == name] or [hook for hook in known if hook["name"] == name]
    if len(found) > 1:
        ids = ", ".join(hook["id"] for hook in found)
        raise Misused(f"{len(found)} hooks have the name '{name}'; say which one: {ids}")
    if not found:
        raise _unknown("hook", name, [word for hook in known for word in (hook["name"], hook["id"])])
    return found[0]


def _names(place: Place) -> dict[int, str]:
    return {pipeline["id"]: pipeline["name"] for pipeline in place.pipelines()}


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
