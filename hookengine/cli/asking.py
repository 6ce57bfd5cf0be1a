"""Whom a command asks: the API of a server, or the same API over the database of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from hookengine.cli.client import Client
from hookengine.cli.failing import Misused
from hookengine.cli.options import why_unreadable

if TYPE_CHECKING:
    from hookengine.cli.client import Place

USUAL_SERVER: Final = "http://127.0.0.1:8730"
USUAL_CONFIG: Final = Path("config.yaml")

PLACES: Final = f"""\b
A command that asks the API asks one place, the first of these that is there:
  --server URL or --config FILE
  $HOOKENGINE_SERVER
  with a token: {USUAL_SERVER}
  $HOOKENGINE_CONFIG or ./{USUAL_CONFIG}: its database, in this process, beside the nodes
  {USUAL_SERVER}"""


def asks_the_api(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a `client` in the place of the options that say where, and as whom."""

    @wraps(command)
    def with_client(
        server: str | None, config: Path | None, token: str | None, token_file: Path | None, **rest: Any
    ) -> None:
        context = click.get_current_context()
        chosen = read_token(token_file) if token_file is not None else token
        return command(client=client_of(context, server, config, chosen), **rest)

    options: tuple[Callable[..., Any], ...] = (
        click.option(
            "--server", envvar="HOOKENGINE_SERVER", metavar="URL", help="A server; else $HOOKENGINE_SERVER."
        ),
        click.option(
            "--token",
            envvar="HOOKENGINE_TOKEN",
            help=f"An API token; better in $HOOKENGINE_TOKEN. Without a server it is for {USUAL_SERVER}.",
        ),
        click.option(
            "--token-file", type=click.Path(path_type=Path), metavar="FILE", help="A file with an API token."
        ),
        click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="HOOKENGINE_CONFIG",
            metavar="FILE",
            help=f"The database of this, without a server; else $HOOKENGINE_CONFIG or ./{USUAL_CONFIG}.",
        ),
    )
    asking: Callable[..., None] = with_client
    for option in reversed(options):
        asking = option(asking)
    return asking


def client_of(context: click.Context, server: str | None, config: Path | None, token: str | None) -> Client:
    """Closed with the context. Whoever has a token means a server. Raises Misused."""
    typed = {name for name in context.params if _is_typed(context, name)}
    if "config" in typed and typed & {"server", "token", "token_file"}:
        raise Misused("--config asks the database, which needs no server and no token: say one of them")
    if config is None and USUAL_CONFIG.exists():
        config = USUAL_CONFIG
    if config is None or ("config" not in typed and (server or token)):
        return Client(_server(server or USUAL_SERVER, token))
    from hookengine.cli.database import Database

    database = Database(config)
    context.call_on_close(database.close)
    return Client(database)


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _server(url: str, token: str | None) -> Place:
    from hookengine.cli.server import Server

    return Server(url, token)


def read_token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"no token can be read from {file}: {why_unreadable(error)}") from error
