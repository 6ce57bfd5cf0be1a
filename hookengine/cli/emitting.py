"""`hookengine emit` and `hookengine trigger`"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import AnswerIsNo, NotAuthorised
from hookengine.cli.offering import pipeline_names
from hookengine.cli.options import json_of, output_option, text_of
from hookengine.cli.showing import plain
from hookengine.cli.waiting import wait_for

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@click.argument("type", metavar="[TYPE]", required=False)
@click.option("--pipeline", shell_complete=pipeline_names, help="The pipeline's name, or its id in digits.")
@click.option("--action", help="The id of the action.")
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="One value; may be repeated.")
@click.option("--data", metavar="@FILE|JSON|-", help="An object with more of the event.")
@click.option("--id", "event_id", help="The event's id; the same one again changes nothing.")
@click.option("--file", "source", metavar="FILE|-", help="Whole events: one, or a list of them.")
@click.option(
    "--wait",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="For what it owes to end, so long at most; exit code 1 if some was not delivered.",
)
@output_option
@asks_the_api
def emit(client: Client, source: str | None, wait: int | None, output: str, **said: Any) -> None:
    """Tell the engine what happened to an action, and see which hooks want to know.

    \b
    hookengine emit action.started --pipeline shop-deploy --action 41
    hookengine emit action.failed --pipeline 1 --action 41 --set action.error="no space left"
    hookengine emit --file events.json

    A VALUE is a text, unless it is a whole number, true, false, null, or JSON in brackets or quotes.
    """
    if source is not None:
        if any(said.values()):
            raise click.UsageError("--file holds whole events; the other options make one")
        document = json_of(text_of(source), source)
    elif not said["type"] and not said["data"]:
        raise click.UsageError("which TYPE of event? Such as action.started")
    else:
        document = _event(**said)
    _, answer = client.post("/api/events", json.dumps(document).encode())
    answers = answer if isinstance(answer, list) else [answer]
    if not showing.as_data(answer, output):
        _tell(answers)
    if wait is not None:
        wait_for(client, [hook["delivery"] for accepted in answers for hook in accepted["hooks"]], wait)


def _tell(answers: list[dict[str, Any]]) -> None:
    for accepted in answers:
        action = accepted["action"]
        line = f"accepted {accepted['type']} of action {action['id']} on {action['pipeline']['name']}"
        _show(f"{line}, event {accepted['id']}", accepted["hooks"])
        if not accepted["hooks"] and (meant := _meant(accepted["type"])):
            click.echo(f"  did you mean {meant}? {accepted['type']} is none of the lifecycle", err=True)


@click.command()
@click.argument("hook_id")
@click.option("--data", metavar="@FILE|JSON|-", help="The body of the request.")
@output_option
@asks_the_api
def trigger(client: Client, hook_id: str, data: str | None, output: str) -> None:
    """Post to an incoming hook, which starts an action of its pipeline.

    HOOK_ID is the part of the hook's URL that names it. Exit code 1: its conditions do not hold.
    """
    body = json.dumps({} if data is None else _data(data)).encode()
    status, answer = client.post("/hooks/{}/trigger", body, identity=hook_id)
    if not showing.as_data(answer, output) and status == 202:
        action = answer["action"]
        line = f"started action {action['id']} on {action['pipeline']['name']}, event {answer['event']['id']}"
        hooks = _matched(client, answer)
        if hooks is None:
            click.echo(plain(line))
            wanted = "1 hook wants" if answer["matched"] == 1 else f"{answer['matched']} hooks want"
            click.echo(f"  {wanted} it")
        else:
            _show(line, hooks)
    if status != 202:
        raise AnswerIsNo(answer["message"])


def _matched(client: Client, answer: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The hooks that want what was started; None if whoever asks may start it, but not read that."""
    of_pipeline = {"pipeline": answer["action"]["pipeline"]["id"]}
    try:
        told = client.get("/api/events/{}", of_pipeline, identity=answer["event"]["id"])
    except (NotAuthorised, AnswerIsNo):
        return None
    hooks: list[dict[str, Any]] = told["hooks"]
    return hooks


def _event(
    type: str | None,  # noqa: A002  the word events have for it
    pipeline: str | None,
    action: str | None,
    settings: tuple[str, ...],
    data: str | None,
    event_id: str | None,
) -> dict[str, Any]:
    """What `--data` holds, under what the options say, under what `--set` says."""
    from hookengine.domain.context import merge

    document = {} if data is None else _data(data)
    if not isinstance(document, dict):
        raise click.UsageError("--data must hold a JSON object")
    facts = {"id": _number(action), "pipeline": _number(pipeline)}
    said = {"id": event_id, "type": type, "action": _known(facts)}
    document = merge(document, _known(said))
    for setting in settings:
        path, separator, value = setting.partition("=")
        if not separator or not all(path.split(".")):
            raise click.UsageError(f"--set {setting}: must be like action.number=3")
        document = merge(document, _nested(path.split("."), _value(value, setting)))
    return document


def _data(text: str) -> Any:
    if text == "-":
        return json_of(text_of("-"), "what came over stdin")
    if text.startswith("@"):
        return json_of(text_of(text[1:]), text[1:])
    return json_of(text, "--data")


def _value(text: str, setting: str) -> Any:
    """Only what can be meant as nothing else is taken for JSON: commit hashes may look like numbers."""
    if text[:1] in ("{", "[", '"'):
        return json_of(text, f"the value of --set {setting}")
    if text in ("true", "false", "null"):
        return json.loads(text)
    return _number(text)


def _number(text: str | None) -> int | str | None:
    return int(text) if text is not None and re.fullmatch(r"0|-?[1-9][0-9]{0,15}", text) else text


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {})}


def _nested(steps: list[str], value: Any) -> dict[str, Any]:
    return {steps[0]: _nested(steps[1:], value) if len(steps) > 1 else value}


def _meant(event_type: str) -> str:
    """The lifecycle type that this one looks like, if it is none itself."""
    from difflib import get_close_matches

    from hookengine.domain.event import Lifecycle

    known = sorted(Lifecycle.values())
    return "" if event_type in known else next(iter(get_close_matches(event_type, known, 1, 0.8)), "")


def _show(line: str, hooks: list[dict[str, Any]]) -> None:
    click.echo(plain(line))
    if not hooks:
        click.echo("  no hook wants it")
    width = max((len(hook["name"]) for hook in hooks), default=0)
    for hook in hooks:
        for delivery in (*hook.get("before", ()), hook["delivery"]):
            click.echo(f"  {plain(hook['name']):{width}}  {click.style(delivery, dim=True)}")
        if "problem" in hook:
            said = click.style("cannot be rendered", fg="red")
            click.echo(f"  {'':{width}}  {said}: {plain(hook['problem'])}")
