"""`hookengine serve`"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from hookengine import __version__
from hookengine.app import Role
from hookengine.app import serve as run
from hookengine.cli.logs import log_to_stderr
from hookengine.cli.options import config_option
from hookengine.config import read_config
from hookengine.engine.signals import SERVER_LISTENING, Signals
from hookengine.errors import ConfigError, Problem
from hookengine.manifest import Manifest
from hookengine.store.database_url import is_postgres

_ADDED = {Role.ALL: "", Role.API: " and delivers nothing", Role.WORKER: " and accepts nothing"}


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default="all",
    show_default=True,
    help="api: accept events, deliver nothing. worker: deliver, accept nothing.",
)
@click.option("--no-apply", is_flag=True, help="Leave pipelines and hooks as the database has them.")
def serve(config: Path, role: str, no_apply: bool) -> None:
    """Accept events and deliver what they owe, until SIGINT or SIGTERM.

    Applies the pipelines and hooks of the configuration file. Where it listens goes to stdout, the log to
    stderr. On PostgreSQL any number of processes may share the work; a SQLite file has one.
    """
    settings, manifest = read_config(config, os.environ)
    if role == Role.WORKER and not is_postgres(settings.database):
        hint = "serve with --role all, or keep the memory in PostgreSQL"
        raise ConfigError(
            [Problem(place="database", message="a SQLite file has one process only", hint=hint)]
        )
    signals = Signals()
    signals.listen(log_to_stderr(settings.logging.format, settings.logging.level))
    signals.listen(_greeting(manifest, role=Role(role)))
    if settings.auth.enabled and not settings.auth.tokens:
        click.echo("there is no token under auth.tokens: only incoming hooks let anybody in", err=True)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_told(run(settings, manifest, signals, role=Role(role), apply=not no_apply)))


async def _until_told(serving: Coroutine[Any, Any, None]) -> None:
    """Being told to stop is no failure, also while it still starts: `serving` handles it once it listens."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101  a coroutine runs in a task
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _greeting(manifest: Manifest, *, role: Role) -> Callable[[str, dict[str, Any]], None]:
    """Says where to send things, once the socket is open."""
    names = {f"/hooks/{hook.id}/trigger": hook.name for hook in manifest.incoming_hooks if hook.active}

    def greet(name: str, facts: dict[str, Any]) -> None:
        if name != SERVER_LISTENING:
            return
        url = facts["url"]
        with contextlib.suppress(OSError):  # nobody reads it, which is no reason to stop
            click.echo(f"hookengine {__version__} listens on {url}{_ADDED[role]}")
            for path in facts["incoming"]:
                if path in names:
                    click.echo(f"  incoming hook '{names[path]}': POST {url}{path}")

    return greet


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop
