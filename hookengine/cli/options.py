"""Options that several commands share, and what is read from the files they name."""

from __future__ import annotations

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


def text_of(source: str) -> str:
    """The content of a file, or of stdin where `source` is `-`."""
    try:
        with click.open_file(source, encoding="utf-8") as file:
            return str(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{source} cannot be read: {why_unreadable(error)}") from error


def json_of(text: str, source: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise Misused(f"{source} is not JSON: {error}") from error


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not plain text"
