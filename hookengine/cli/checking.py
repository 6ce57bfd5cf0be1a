"""`hookengine validate` and `hookengine migrate`"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli.failing import NO, Misused
from hookengine.cli.options import config_option
from hookengine.errors import ConfigError

if TYPE_CHECKING:
    from hookengine.config import Settings


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def validate(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Check configuration files, $HOOKENGINE_CONFIG or ./config.yaml if none is named.

    Needs no server and no secret. Exit code 1: something is wrong.
    """
    from hookengine.cli.offline import read

    usual = Path(os.environ.get("HOOKENGINE_CONFIG", "config.yaml"))
    if not files and not usual.exists():
        raise Misused(f"there is no {usual}; name a file, or make one with `hookengine init`")
    wrong = False
    for file in files or (usual,):
        try:
            manifest = read(file, os.environ).manifest
        except ConfigError as error:
            wrong = True
            for problem in error.problems:
                click.echo(str(problem))
        else:
            pipelines, hooks = len(manifest.pipelines), len(manifest.hooks)
            click.echo(f"{file}: ok ({_count(pipelines, 'pipeline')}, {_count(hooks, 'hook')})")
    if wrong:
        ctx.exit(NO)


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Apply nothing; exit code 1 if there is something to apply.")
@click.pass_context
def migrate(ctx: click.Context, config: Path, check: bool) -> None:
    """Bring the database to the newest tables. `serve` does so too, when it starts."""
    from hookengine.config import load_settings
    from hookengine.store.migrations import pending

    place, url, apply = database(load_settings(config, os.environ))
    missing = pending(url)
    if not missing:
        click.echo(f"{place}: up to date")
        return
    if not check:
        apply()
    for name in missing:
        click.echo(f"{'pending' if check else 'applied'}: {name}")
    if check:
        ctx.exit(NO)


def database(settings: Settings) -> tuple[str, str, Callable[[], None]]:
    """What to call it, its URL, and how its migrations are applied."""
    from hookengine.app import database_path
    from hookengine.store.database_url import is_postgres, shown
    from hookengine.store.migrations import upgrade

    url = settings.database
    if is_postgres(url):
        return shown(url), url, lambda: upgrade(url)
    path = database_path(settings)
    return str(path), f"sqlite:///{path}", lambda: asyncio.run(_open_once(path))


def newest_database(settings: Settings) -> str:
    """The URL of the database, which is brought to the newest tables."""
    from hookengine.store.migrations import pending

    _, url, apply = database(settings)
    if pending(url):
        apply()
    return url


async def _open_once(path: Path) -> None:
    """The store migrates as it opens, and refuses while another process owns the database."""
    from hookengine.store.sqlite import SqliteStore

    store = await SqliteStore.open(path)
    await store.close()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
