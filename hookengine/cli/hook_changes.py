"""`hookengine hooks create`, `edit`, `delete` and `versions`"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import AnswerIsNo, Misused
from hookengine.cli.finding import HOOKS, hook_called
from hookengine.cli.offering import hook_names
from hookengine.cli.options import output_option, text_of
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_MADE: Final = frozenset(
    {"id", "version", "state", "because", "managed_by", "created_at", "updated_at", "request"}
)
"""What is shown of a hook that nobody writes."""

_KEPT_INSIDE: Final = frozenset({"settings", "trigger_when", "with"})
"""Inside of these the API changes only what is said."""

_BY_NAME: Final = click.argument("name", metavar="NAME|ID", shell_complete=hook_names)
_FORCE: Final = click.option(
    "--force", is_flag=True, help="Also if files manage it, until they are applied again."
)


@click.command()
@click.argument("file", metavar="FILE|-")
@output_option
@asks_the_api
def create(client: Client, file: str, output: str) -> None:
    """Create a hook from YAML or JSON: one hook as a file has it, with its `pipeline`, or as `hooks show` writes it."""
    _, hook = client.post(HOOKS, json.dumps(_written(_document(text_of(file), file))).encode())
    if not showing.as_data(hook, output):
        click.echo(f"hook {plain(hook['name'])} is created: {hook['id']}")


@click.command()
@_BY_NAME
@click.option("-f", "--file", metavar="FILE|-", help="What it is to be, in the place of an editor.")
@_FORCE
@output_option
@asks_the_api
def edit(client: Client, name: str, file: str | None, force: bool, output: str) -> None:
    """Change a hook in your editor ($VISUAL or $EDITOR). What waits already stays as it was rendered."""
    hook = hook_called(client, name)
    before = {key: value for key, value in _written(hook).items() if key != "pipeline"}
    text = text_of(file) if file is not None else _edited(before)
    after = {
        key: value for key, value in _written(_document(text, file or name)).items() if key != "pipeline"
    }
    changes = _changes(before, after)
    if changes:
        hook = _changed(client, hook, changes, force=force, kept=None if file else text)
    if not showing.as_data(hook, output):
        said = f"is changed: {', '.join(changes)}" if changes else "is unchanged"
        click.echo(f"hook {plain(hook['name'])} {said}")


@click.command()
@_BY_NAME
@_FORCE
@click.option("--yes", is_flag=True, help="Do not ask before.")
@asks_the_api
def delete(client: Client, name: str, force: bool, yes: bool) -> None:
    """Delete a hook; what it still owes is cancelled."""
    hook = hook_called(client, name)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete hook {plain(hook['name'])}?", abort=True, err=True)
    _send(client, "DELETE", hook, force=force)
    click.echo(f"hook {plain(hook['name'])} is deleted")


@click.command()
@_BY_NAME
@output_option
@asks_the_api
def versions(client: Client, name: str, output: str) -> None:
    """Show everything a hook ever was, the newest first. Deliveries name the version they were rendered with."""
    hook = hook_called(client, name)
    found = client.get(f"{HOOKS}/{{}}/versions", identity=hook["id"])
    if showing.as_data(found, output):
        return
    items = found["items"]
    befores: list[dict[str, Any] | None] = [*items[1:], None]
    rows = [
        (
            str(item["version"]),
            item["created_at"],
            ", ".join(_differing(before, item)) if before else "created",
        )
        for item, before in zip(items, befores, strict=True)
    ]
    showing.listing("versions", ("VERSION", "MADE", "WHAT CHANGED"), rows)


def _changed(
    client: Client, hook: Mapping[str, Any], changes: dict[str, Any], *, force: bool, kept: str | None
) -> dict[str, Any]:
    """What was written in an editor is not lost when it is refused."""
    body = json.dumps(changes).encode()
    try:
        _, changed = _send(client, "PATCH", hook, body, force=force)
    except AnswerIsNo as error:
        if kept is None:
            raise
        place = Path(f"hook-{hook['id']}.yaml")
        place.write_text(kept, encoding="utf-8")
        hint = f"what you wrote is in {place}: `hookengine hooks edit {hook['id']} --file {place}` tries it again"
        raise AnswerIsNo([*error.lines, hint]) from error
    return dict(changed)


def _edited(before: Mapping[str, Any]) -> str:
    from hookengine.yaml_text import as_yaml

    if not sys.stdin.isatty():
        raise Misused("there is no terminal for an editor: say what it is to be with --file")
    text = as_yaml(before)
    return click.edit(text, extension=".yaml") or text


def _document(text: str, source: str) -> dict[str, Any]:
    from hookengine.yaml_text import from_yaml

    try:
        document = from_yaml(text)
    except ValueError as error:
        raise Misused(f"{source}: {error}") from error
    if not isinstance(document, dict):
        raise Misused(f"{source}: a hook is a mapping of keys to values")
    if "hooks" in document or "pipelines" in document:
        raise Misused(f"{source} is a whole file: `hookengine apply {source}` does what it says")
    return document


def _written(hook: Mapping[str, Any]) -> dict[str, Any]:
    """What people write of it."""
    return {key: value for key, value in hook.items() if key not in _MADE}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], *, inside: bool = False) -> dict[str, Any]:
    """What makes the one of the other: null takes a key away."""
    changes: dict[str, Any] = {}
    for key in _differing(before, after):
        old, new = before.get(key), after.get(key)
        changes[key] = new
        if not inside and key in _KEPT_INSIDE and isinstance(old, dict) and isinstance(new, dict):
            changes[key] = _changes(old, new, inside=True)
    return changes


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    keys = {**before, **after}
    return [key for key in keys if key not in _MADE and before.get(key) != after.get(key)]


def _send(
    client: Client, method: str, hook: Mapping[str, Any], body: bytes | None = None, *, force: bool
) -> tuple[int, Any]:
    query = "?force=true" if force else ""
    try:
        return client.send(method, f"{HOOKS}/{{}}", body, identity=hook["id"], query=query)
    except AnswerIsNo as error:
        raise AnswerIsNo(line.replace("`?force=true`", "--force") for line in error.lines) from error
