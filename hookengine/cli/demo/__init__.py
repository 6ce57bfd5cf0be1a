"""`hookengine demo`"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from hookengine.cli.failing import INTERRUPTED, NO

TERMINATED = 143


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running afterwards, until Ctrl-C.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A changed copy of the demo's own file.",
    show_default="examples/demo.yaml",
)
@click.pass_context
def demo(ctx: click.Context, keep: bool, config: Path | None) -> None:
    """Watch pipeline runs become commit statuses on three hosts.

    Stand-ins of GitHub, GitLab and Bitbucket, the real engine and its HTTP API run on this machine, in a
    temporary folder. A pull request comes in, actions start, succeed and fail, one host is down for a moment
    and some events come late. Exits 0 only if every host shows one true status per commit and pipeline.
    """
    try:
        from hookengine.cli.demo.playing import play

        problems = asyncio.run(play(config, keep=keep))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        ctx.exit(INTERRUPTED)
    except asyncio.CancelledError:
        ctx.exit(TERMINATED)
    ctx.exit(NO if problems else 0)
