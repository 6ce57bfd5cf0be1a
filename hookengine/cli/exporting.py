"""`hookengine export`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hookengine.cli.asking import asks_the_api

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@asks_the_api
def export(client: Client) -> None:
    """Write all pipelines and hooks as YAML, whoever defined them. Applied again, it changes nothing.

    Secrets are in it by name only.
    """
    click.echo(client.text("/api/export"), nl=False)
