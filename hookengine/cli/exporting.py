"""`hookengine export`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", help="JSON is YAML, too."
)
@asks_the_api
def export(client: Client, output: str) -> None:
    """Write all pipelines and hooks as a file, whoever defined them. Applied again, it changes nothing.

    Secrets are in it by name only.
    """
    text = client.text("/api/export")
    if output == "json":
        from hookengine.yaml_text import from_yaml

        showing.as_data(from_yaml(text), output)
    else:
        click.echo(text, nl=False)
