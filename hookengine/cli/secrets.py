"""`hookengine secrets`: set, list, delete, rotate"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli import showing
from hookengine.cli.failing import Misused
from hookengine.cli.options import config_option, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hookengine.config import Settings
    from hookengine.domain.secret import StoredSecret


@click.group()
def secrets() -> None:
    """Secrets that the database keeps sealed, and the key that seals them.

    A value goes in and is never shown again. All of this works beside running nodes, which notice within a second.
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
@config_option
def set_one(
    name: str, hosts: Sequence[str], generate: bool, pipeline: int | None, hook: str | None, config: Path
) -> None:
    """Set NAME, which is `secrets.NAME` in templates, to what stdin says or you type.

    A hook's own secret goes where the hook goes, unless --hosts says otherwise, and is deleted when the hook goes
    elsewhere. A hook's secret counts before its pipeline's of that name, and that before everyone's.
    """
    from hookengine.app.secret_keeping import set_secret
    from hookengine.guard.signing import new_signing_secret

    owner, settings = _owner(pipeline, hook), _settings(config)
    if not owner:
        _check_used(settings, name)
    wanted = [host for said in hosts for host in said.split(",") if host.strip()] or None
    value = new_signing_secret() if generate else _value()
    secret = set_secret(settings, _url(settings), owner, name, value, wanted)
    goes = f"goes to {', '.join(secret.hosts)}" if secret.hosts else "goes nowhere, it is for signing"
    click.echo(f"{secret.reference} is set; it {goes}")
    if generate:
        click.echo(f"Its value, this once: {click.style(value, bold=True)}")


@secrets.command("list")
@output_option
@config_option
def list_all(output: str, config: Path) -> None:
    """Whose there are, and where they may go."""
    from hookengine.app.secret_keeping import list_secrets

    kept = list_secrets(_url(_settings(config)))
    if showing.as_data([_shown(secret) for secret in kept], output):
        return
    for secret in kept:
        hosts = ", ".join(secret.hosts) or "(signing only)"
        click.echo(f"{secret.name:24}  {secret.whose:16}  {_shown(secret)['set_at']}  {hosts}")
    if not kept:
        click.echo("none")


@secrets.command()
@click.argument("name")
@_owned
@config_option
def delete(name: str, pipeline: int | None, hook: str | None, config: Path) -> None:
    """Delete NAME. What still needs it is tried again until it gives up."""
    from hookengine.app.secret_keeping import delete_secret

    delete_secret(_url(_settings(config)), _owner(pipeline, hook), name)
    click.echo(f"{name} is deleted")


@secrets.command()
@click.option("--drop-old", is_flag=True, help="Take old keys out of the key file; seals nothing.")
@config_option
def rotate(drop_old: bool, config: Path) -> None:
    """Make a new key, and seal every secret with it, while nodes run.

    Where nodes have copies of the key file, give them the new one at once. After a rotation that was cut off, the
    next goes on with it.
    """
    from hookengine.app.secret_keeping import drop_old_keys
    from hookengine.app.secret_keeping import rotate as rotate_keys

    settings = _settings(config)
    if settings.secrets.insecure_plaintext:
        raise Misused("secrets.insecure_plaintext is true: nothing is sealed, there is no key to rotate")
    if drop_old:
        dropped = drop_old_keys(settings, _url(settings))
        click.echo(f"{dropped} old key(s) dropped; backups from before need them, if you kept any")
        return
    done = rotate_keys(settings, _url(settings))
    click.echo(f"{'a new key' if done.fresh else 'the newest key, as begun before'}: {done.key_id}")
    click.echo(f"sealed anew: {done.resealed}")
    if done.unreadable:
        click.echo(f"left as they are, since no key opens them: {done.unreadable}; set or send those again")
    if done.old_keys:
        click.echo(
            f"old keys in {settings.secrets.key_file}: {done.old_keys}; once every node has the file,"
            " `hookengine secrets rotate --drop-old` takes them out"
        )


def _settings(config: Path) -> Settings:
    from hookengine.config import load_settings

    return load_settings(config, os.environ)


def _url(settings: Settings) -> str:
    from hookengine.cli.checking import newest_database

    return newest_database(settings)


def _owner(pipeline: int | None, hook: str | None) -> str:
    from hookengine.domain.secret import EVERYONES, of_hook, of_pipeline

    if pipeline is not None and hook is not None:
        raise Misused("a secret is of a pipeline or of a hook, not of both")
    if pipeline is not None:
        return of_pipeline(pipeline)
    return EVERYONES if hook is None else of_hook(hook)


def _check_used(settings: Settings, name: str) -> None:
    named = settings.secrets.named.get(name)
    if named is not None and not named.stored:
        raise Misused(
            f"the configuration says where secrets.{name} is read from; set there, it would not count"
        )


def _value() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:  # its text would quote it
        raise Misused("the value is not UTF-8 text") from None


def _shown(secret: StoredSecret) -> dict[str, object]:
    from hookengine.domain.clock import as_text

    return {
        "name": secret.name,
        "of": secret.whose,
        "hosts": list(secret.hosts),
        "set_at": as_text(secret.updated_at),
    }
