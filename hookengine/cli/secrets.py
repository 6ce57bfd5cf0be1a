"""`hookengine secrets`: set, list, delete, rotate"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.failing import Misused
from hookengine.cli.options import config_option, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hookengine.cli.client import Client

_PATH: Final = "/api/secrets"


@click.group()
def secrets() -> None:
    """Secrets that the database keeps sealed, and the key that seals them.

    A value goes in and is never shown again. Running nodes notice within a second.
    """


def _owned(command: Callable[..., None]) -> Callable[..., None]:
    pipeline = click.option("--pipeline", type=int, metavar="ID", help="Of this pipeline only.")
    hook = click.option("--hook", metavar="ID", help="Of this hook only.")
    return pipeline(hook(command))


@secrets.command("set")
@click.argument("name")
@click.option("--hosts", multiple=True, metavar="HOST,...", help="Where it may go; for signing, nowhere.")
@click.option("--generate", is_flag=True, help="Make a signing secret, and show it this once.")
@_owned
@output_option
@asks_the_api
def set_one(
    client: Client, name: str, hosts: Sequence[str], generate: bool, output: str, **owner: Any
) -> None:
    """Set NAME, which is `secrets.NAME` in templates, to what stdin says or you type.

    A hook's own secret goes where the hook goes, unless --hosts says otherwise, and is deleted when the hook goes
    elsewhere. A hook's secret counts before its pipeline's of that name, and that before everyone's.
    """
    query = _of(**owner)
    value = _generated() if generate else _value()
    wanted = [host.strip() for said in hosts for host in said.split(",") if host.strip()] or None
    body = json.dumps({"value": value, "hosts": wanted}).encode()
    _, secret = client.send("PUT", f"{_PATH}/{{}}", body, identity=name, query=query)
    if showing.as_data({**secret, "value": value} if generate else secret, output):
        return
    goes = f"goes to {', '.join(secret['hosts'])}" if secret["hosts"] else "goes nowhere, it is for signing"
    click.echo(f"{_called(secret)} is set; it {goes}")
    if generate:
        click.echo(f"Its value, this once: {click.style(value, bold=True)}")


@secrets.command("list")
@output_option
@asks_the_api
def list_all(client: Client, output: str) -> None:
    """Whose there are, and where they may go."""
    found = client.get(_PATH)
    if showing.as_data(found, output):
        return
    rows = [
        (secret["name"], _whose(secret), secret["updated_at"], ", ".join(secret["hosts"]) or "(signing only)")
        for secret in found["items"]
    ]
    showing.listing("secrets", ("NAME", "OF", "SET", "HOSTS"), rows)


@secrets.command()
@click.argument("name")
@_owned
@asks_the_api
def delete(client: Client, name: str, pipeline: int | None, hook: str | None) -> None:
    """Delete NAME. What still needs it is tried again until it gives up."""
    client.send("DELETE", f"{_PATH}/{{}}", identity=name, query=_of(pipeline, hook))
    click.echo(f"{name} is deleted")


@secrets.command()
@click.option("--drop-old", is_flag=True, help="Take old keys out of the key file; seals nothing.")
@config_option
def rotate(drop_old: bool, config: Path) -> None:
    """Make a new key, and seal every secret with it, while nodes run.

    Done where the key file is, in the database of its configuration. Where nodes have copies of the key file, give
    them the new one at once. After a rotation that was cut off, the next goes on with it.
    """
    from hookengine.app.key_keeping import drop_old_keys
    from hookengine.app.key_keeping import rotate as rotate_keys
    from hookengine.cli.checking import newest_database
    from hookengine.config import load_settings

    settings = load_settings(config, os.environ)
    if settings.secrets.insecure_plaintext:
        raise Misused("secrets.insecure_plaintext is true: nothing is sealed, there is no key to rotate")
    if drop_old:
        dropped = drop_old_keys(settings, newest_database(settings))
        click.echo(f"{dropped} old key(s) dropped; backups from before need them, if you kept any")
        return
    done = rotate_keys(settings, newest_database(settings))
    click.echo(f"{'a new key' if done.fresh else 'the newest key, as begun before'}: {done.key_id}")
    click.echo(f"sealed anew: {done.resealed}")
    if done.unreadable:
        click.echo(f"left as they are, since no key opens them: {done.unreadable}; set or send those again")
    if done.old_keys:
        click.echo(
            f"old keys in {settings.secrets.key_file}: {done.old_keys}; once every node has the file,"
            " `hookengine secrets rotate --drop-old` takes them out"
        )


def _of(pipeline: int | None, hook: str | None) -> str:
    """The query that says whose it is."""
    if pipeline is not None and hook is not None:
        raise Misused("a secret is of a pipeline or of a hook, not of both")
    if pipeline is not None:
        return f"?pipeline={pipeline}"
    return "" if hook is None else f"?{urlencode({'hook': hook})}"


def _whose(secret: dict[str, Any]) -> str:
    kinds = (("pipeline", "pipeline"), ("hook", "hook"), ("incoming_hook", "incoming hook"))
    return next((f"{word} {secret[kind]}" for kind, word in kinds if secret[kind] is not None), "everyone")


def _called(secret: dict[str, Any]) -> str:
    whose = _whose(secret)
    return f"secrets.{secret['name']}" + ("" if whose == "everyone" else f" of {whose}")


def _generated() -> str:
    from hookengine.guard.signing import new_signing_secret

    return new_signing_secret()


def _value() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:  # its text would quote it
        raise Misused("the value is not UTF-8 text") from None
