"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HOOKENGINE_CONFIG",
    default=Path("config.yaml"),
    show_default="$HOOKENGINE_CONFIG or ./config.yaml",
    help="The configuration file.",
)
