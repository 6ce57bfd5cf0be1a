"""`hookengine export`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookengine.cli.options import database_or_server

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@database_or_server
def export(client: Client | None, config: Path) -> None:
    """Write all pipelines and hooks as YAML, whoever defined them. Applied again, it changes nothing.

    Secrets are in it by name only.
    """
    if client is not None:
        click.echo(client.text("/api/export"), nl=False)
        return
    from hookengine.app.applying import export_beside
    from hookengine.cli.checking import newest_database
    from hookengine.config import load_settings

    click.echo(export_beside(newest_database(load_settings(config, os.environ))), nl=False)
