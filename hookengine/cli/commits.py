"""`hookengine status SHA`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hookengine.cli import showing
from hookengine.cli.asking import asks_the_api
from hookengine.cli.options import output_option
from hookengine.cli.showing import plain

if TYPE_CHECKING:
    from hookengine.cli.client import Client


@click.command()
@click.argument("sha")
@output_option
@asks_the_api
def status(client: Client, sha: str, output: str) -> None:
    """Tell what a commit shows: per context the states that were sent, and the one that is shown, and why.

    SHA may be the first seven digits or more.
    """
    commit = client.get("/api/commits/{}", identity=sha)
    if showing.as_data(commit, output):
        return
    for number, target in enumerate(commit["statuses"]):
        if number:
            click.echo()
        showing.target(target)
    showing.cut(commit)
    for warning in commit["warnings"]:
        click.echo(click.style(f"warning: {plain(warning)}", fg="yellow"), err=True)
