"""Options that several commands share, and what is read from the files they name."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hookengine.cli.failing import Misused

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HOOKENGINE_CONFIG",
    default=Path("config.yaml"),
    help="The configuration; else $HOOKENGINE_CONFIG or ./config.yaml.",
)

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    help="json and yaml are for programs.",
)


def talks_to_a_server(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a `client` in the place of the options that say which server, and as whom."""
    server = click.option(
        "--server",
        envvar="HOOKENGINE_SERVER",
        default="http://127.0.0.1:8730",
        metavar="URL",
        help="Where it listens; else $HOOKENGINE_SERVER or http://127.0.0.1:8730.",
    )
    return server(_as_somebody(_with_client(command)))


def database_or_server(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a `client` if a server is named, else None: then it is about the database of `config`."""
    server = click.option(
        "--server",
        envvar="HOOKENGINE_SERVER",
        metavar="URL",
        help="Ask this server, else $HOOKENGINE_SERVER; without one, the configuration's database.",
    )
    return config_option(server(_as_somebody(_with_client(command))))


def _as_somebody(command: Callable[..., None]) -> Callable[..., None]:
    token = click.option(
        "--token", envvar="HOOKENGINE_TOKEN", help="An API token; better in $HOOKENGINE_TOKEN."
    )
    file = click.option(
        "--token-file", type=click.Path(path_type=Path), metavar="FILE", help="A file with an API token."
    )
    return token(file(command))


def _with_client(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def with_client(server: str | None, token: str | None, token_file: Path | None, **rest: Any) -> None:
        if not server:
            return command(client=None, **rest)
        from hookengine.cli.client import Client

        chosen = _read_token(token_file) if token_file is not None else token
        return command(client=Client(server, chosen), **rest)

    return with_client


def asks_the_api(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a `client`: of a server, or of the database of a configuration, if one is named."""

    @talks_to_a_server
    @wraps(command)
    def at_a_server(client: Any, config: Path | None, **rest: Any) -> None:
        if config is None:
            return command(client=client, **rest)
        from hookengine.cli.local import LocalClient

        return command(client=LocalClient(config), **rest)

    option = click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Without a server: ask the database of this configuration.",
    )
    return option(at_a_server)


def _read_token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"no token can be read from {file}: {_reason(error)}") from error


def text_of(source: str) -> str:
    """The content of a file, or of stdin where `source` is `-`."""
    try:
        with click.open_file(source, encoding="utf-8") as file:
            return str(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{source} cannot be read: {_reason(error)}") from error


def json_of(text: str, source: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise Misused(f"{source} is not JSON: {error}") from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not plain text"
