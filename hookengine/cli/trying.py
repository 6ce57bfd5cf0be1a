"""`hookengine test` and `hookengine hooks preview`"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import NO
from hookengine.cli.finding import HOOKS, hook_called
from hookengine.cli.offering import hook_names
from hookengine.cli.options import json_of, output_option, text_of
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_SAMPLE: Final = "sample:"


def _occasion(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.argument("name", metavar="NAME|ID", shell_complete=hook_names),
        click.option(
            "--event",
            "source",
            metavar="ID|@FILE|-|sample:TYPE",
            help="One that was sent, one from a file or stdin, or one that is made up; else a sample of what it wants.",
        ),
        click.option("--ignore-conditions", is_flag=True, help="Also if the hook does not match it."),
        output_option,
        asks_the_api,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_occasion
def preview(client: Client, name: str, source: str | None, ignore_conditions: bool, output: str) -> None:
    """Show what a hook as it is now would send. Nothing is sent; secrets are shown by their names.

    Exit code 1: it does not match the event, or cannot be rendered.
    """
    shown = _asked(client, "preview", name, source, ignore_conditions=ignore_conditions)
    if not showing.as_data(shown, output):
        _show(shown)
    _end(well=shown["request"] is not None)


@click.command()
@_occasion
def test(client: Client, name: str, source: str | None, ignore_conditions: bool, output: str) -> None:
    """Send one request of a hook, really: what it changes at the target is changed.

    It is no delivery, waits in no lane and is not tried again. Exit code 1: nothing was sent, or the answer is no 2xx.
    """
    shown = _asked(client, "test", name, source, ignore_conditions=ignore_conditions)
    sent = shown["sent"]
    if not showing.as_data(shown, output):
        _show(shown)
        if sent is not None:
            click.echo(f"\n{sent['id']}  {plain(sent['because'])}")
            click.echo(plain(showing.set_out(sent["detail"].get("body") or "")))
    status = (sent or {}).get("detail", {}).get("status")
    _end(well=status is not None and 200 <= status < 300)


def _asked(
    client: Client, verb: str, name: str, source: str | None, *, ignore_conditions: bool
) -> dict[str, Any]:
    body = {**_event(source), "ignore_conditions": ignore_conditions}
    hook = hook_called(client, name)
    _, shown = client.post(f"{HOOKS}/{{}}/{verb}", json.dumps(body).encode(), identity=hook["id"])
    return dict(shown)


def _event(source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    if source.startswith(_SAMPLE):
        return {"sample": source.removeprefix(_SAMPLE)}
    if source == "-" or source.startswith("@"):
        file = source.removeprefix("@")
        return {"event": json_of(text_of(file), file)}
    return {"event_id": source}


def _show(shown: dict[str, Any]) -> None:
    if shown["why_not"]:
        click.echo(f"does not match: {plain(shown['why_not'])}", err=True)
    if shown["error"]:
        click.echo(f"cannot be rendered: {plain(shown['error'])}", err=True)
    if shown["request"] is not None:
        showing.request(shown["request"])


def _end(*, well: bool) -> None:
    if not well:
        click.get_current_context().exit(NO)
