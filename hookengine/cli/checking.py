"""`hookengine validate` and `hookengine migrate`"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli import showing
from hookengine.cli.failing import NO
from hookengine.cli.files import NamedText, names_files, read_files
from hookengine.cli.options import config_option, output_option
from hookengine.errors import ConfigError, Problem

if TYPE_CHECKING:
    from hookengine.config import Settings
    from hookengine.manifest import Manifest


@click.command()
@names_files
@output_option
@click.pass_context
def validate(ctx: click.Context, names: tuple[str, ...], output: str) -> None:
    """Check configuration files, $HOOKENGINE_CONFIG or ./config.yaml if none is named.

    Files and folders of files that are named together count as one: hooks may name pipelines and secrets of other
    files. Needs no server and no secret. Exit code 1: something is wrong.
    """
    files = read_files(names)
    manifest, problems = _understood(files)
    if not showing.as_data({"problems": [asdict(problem) for problem in problems]}, output):
        for problem in problems:
            click.echo(str(problem))
        if manifest is not None:
            what = files[0].name if len(files) == 1 else f"{len(files)} files"
            counts = _count(len(manifest.pipelines), "pipeline"), _count(len(manifest.hooks), "hook")
            click.echo(f"{what}: ok ({', '.join(counts)})")
    if problems:
        ctx.exit(NO)


def _understood(files: Sequence[NamedText]) -> tuple[Manifest | None, list[Problem]]:
    """All of them as one, or everything that is wrong."""
    from hookengine.config import read_files as understand
    from hookengine.manifest import load

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
        return None, [*problems, *error.problems]
    return (None, problems) if problems else (manifest, [])


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Apply nothing; exit code 1 if there is something to apply.")
@output_option
@click.pass_context
def migrate(ctx: click.Context, config: Path, check: bool, output: str) -> None:
    """Bring the database to the newest tables. `serve` does so too, when it starts."""
    from hookengine.config import load_settings
    from hookengine.store.migrations import pending

    place, url, apply = database(load_settings(config, os.environ))
    missing = pending(url)
    if missing and not check:
        apply()
    done = "pending" if check else "applied"
    if not showing.as_data({"database": place, done: missing}, output):
        for name in missing:
            click.echo(f"{done}: {name}")
        if not missing:
            click.echo(f"{place}: up to date")
    if missing and check:
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
    """The URL of the database, which has the newest tables then. Raises StoreBusy where nodes may use older ones."""
    from hookengine.app import database_path
    from hookengine.store.database_url import is_postgres
    from hookengine.store.migrations import upgrade_beside
    from hookengine.store.sqlite.owning import beside

    if is_postgres(settings.database):
        upgrade_beside(settings.database)
        return settings.database
    path = database_path(settings)
    beside(path)
    return f"sqlite:///{path}"


async def _open_once(path: Path) -> None:
    """The store migrates as it opens, and refuses while another process owns the database."""
    from hookengine.store.sqlite import SqliteStore

    store = await SqliteStore.open(path)
    await store.close()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
