"""`hookengine diff` and `hookengine apply`"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import NO, AnswerIsNo, Misused
from hookengine.cli.files import NamedText, names_files, read_files
from hookengine.cli.options import output_option
from hookengine.cli.progress import busy

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_SIGNS: Final = {"create": ("+", "green"), "change": ("~", "yellow"), "delete": ("-", "red")}
_DONE: Final = {"create": "created", "change": "changed", "delete": "deleted", "unchanged": "unchanged"}


def _about_files(command: Callable[..., None]) -> Callable[..., None]:
    selector = click.option(
        "--selector",
        default="",
        metavar="KEY=VALUE,...",
        help="Whose all of this is (managed-by), and what a prune may delete (managed-by, kind, pipeline, name).",
    )
    prune = click.option(
        "--prune", is_flag=True, help="Delete what files manage, the selector covers and these do not name."
    )
    return names_files(selector(prune(command)))


@click.command()
@_about_files
@click.option("--exit-code/--no-exit-code", default=True, help="Whether a difference is exit code 1.")
@output_option
@asks_the_api
@click.pass_context
def diff(
    ctx: click.Context,
    names: Sequence[str],
    selector: str,
    prune: bool,
    exit_code: bool,
    output: str,
    client: Client,
) -> None:
    """Show what `apply` would change. Files count as one; without any it is the configuration.

    Exit code 0: nothing, 1: something, 2 and more: trouble.
    """
    plan = _ask(client, read_files(names, ctx.params["config"]), selector=selector, prune=prune, dry_run=True)
    _show(plan, output)
    if plan["changed"] and exit_code:
        ctx.exit(NO)


@click.command()
@_about_files
@click.option("--dry-run", is_flag=True, help="Change nothing, and show the same.")
@click.option("--yes", is_flag=True, help="Do not ask before something is deleted.")
@output_option
@asks_the_api
@click.pass_context
def apply(
    ctx: click.Context,
    names: Sequence[str],
    selector: str,
    prune: bool,
    dry_run: bool,
    yes: bool,
    output: str,
    client: Client,
) -> None:
    """Make what is defined what the files say, in one transaction. Applied again, they change nothing. Without any
    it is the configuration.

    What files name for the first time is managed by `apply`, or by whom the selector names: `--selector
    managed-by=team-a`. Nothing is deleted without --prune, and then only what files manage and the selector covers;
    pipelines that had actions stay.
    """
    files = read_files(names, ctx.params["config"])
    if prune and not dry_run and not yes and sys.stdin.isatty():
        planned = _ask(client, files, selector=selector, prune=True, dry_run=True)
        if planned["summary"]["delete"]:
            _show(planned, "table")
            click.confirm(f"Delete {planned['summary']['delete']}?", abort=True, err=True)
    _show(_ask(client, files, selector=selector, prune=prune, dry_run=dry_run), output)


def _ask(client: Client, files: Sequence[NamedText], **how: Any) -> dict[str, Any]:
    """The plan. Files that are wrong are a wrong usage."""
    order = {"files": [{"name": file.name, "text": file.text} for file in files], **how}
    doing = "applying" if not how["dry_run"] else "comparing"
    count = f"{len(files)} file{'' if len(files) == 1 else 's'}"
    try:
        with busy(f"{doing} {count}"):
            _, plan = client.post("/api/apply", json.dumps(order).encode())
    except AnswerIsNo as error:
        raise Misused(line.removeprefix("  ") for line in error.lines) from error
    return dict(plan)


def _show(plan: dict[str, Any], output: str) -> None:
    if showing.as_data(plan, output):
        return
    for item in plan["items"]:
        if item["verb"] in _SIGNS:
            _show_step(item, done=not plan["dry_run"])
    total = sum(plan["summary"].values())
    counted = [
        f"{number} {_DONE[verb] if not plan['dry_run'] or verb == 'unchanged' else f'to {verb}'}"
        for verb, number in plan["summary"].items()
        if number
    ]
    click.echo(f"{total} defined: {', '.join(counted)}" if total else "nothing is defined")


def _show_step(item: dict[str, Any], *, done: bool) -> None:
    sign, colour = _SIGNS[item["verb"]]
    place = f" of {showing.plain(item['pipeline'])}" if item["pipeline"] else ""
    verb = _DONE[item["verb"]] if done else item["verb"]
    name = f"{item['kind']} {showing.plain(item['name'])}{place}"
    click.echo(f"{click.style(sign, fg=colour)} {name}  {verb}  {click.style(str(item['id']), dim=True)}")
    for field in item["fields"]:
        before, after = (_said(field[side]) for side in ("before", "after"))
        click.echo(f"    {showing.plain(field['field'])}: {before} -> {after}")


def _said(value: Any) -> str:
    if value is None:
        return "(nothing)"
    return showing.plain(json.dumps(value, ensure_ascii=False))
