"""`hookengine completion`"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_PROGRAM: Final = "hookengine"
_VARIABLE: Final = "_HOOKENGINE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    bash: echo 'eval "$(hookengine completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(hookengine completion zsh)"' >> ~/.zshrc
    fish: hookengine completion fish > ~/.config/fish/completions/hookengine.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  click knows these three
    click.echo(found(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
