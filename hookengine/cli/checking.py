"""`hookengine validate` and `hookengine migrate`"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli.failing import NO
from hookengine.cli.files import names_files, read_files
from hookengine.cli.options import config_option
from hookengine.errors import ConfigError, Problem

if TYPE_CHECKING:
    from hookengine.config import Settings


@click.command()
@names_files
@click.pass_context
def validate(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Check configuration files, $HOOKENGINE_CONFIG or ./config.yaml if none is named.

    Files and folders of files that are named together count as one: hooks may name pipelines and secrets of other
    files. Needs no server and no secret. Exit code 1: something is wrong.
    """
    from hookengine.config import read_files as understand
    from hookengine.manifest import load

    files = read_files(names)
    what = files[0].name if len(files) == 1 else f"{len(files)} files"
    problems: list[Problem] = []
    documents = []
    for file in files:
        try:
            documents.append(load(file.text, name=file.name, folder=file.folder))
        except ConfigError as error:
            problems.extend(error.problems)
    try:
        manifest = understand(documents, os.environ)
    except ConfigError as error:
        problems.extend(error.problems)
    else:
        if not problems:
            pipelines, hooks = len(manifest.pipelines), len(manifest.hooks)
            click.echo(f"{what}: ok ({_count(pipelines, 'pipeline')}, {_count(hooks, 'hook')})")
    for problem in problems:
        click.echo(str(problem))
    if problems:
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
