"""The page of the documents that has every command, made of their own help."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Final

import click

WIDTH: Final = 100


def pages(command: click.Command, parent: click.Context | None = None, name: str = "") -> Iterator[str]:
    """A section for the command and for each one under it, in the order they are listed."""
    own = name or command.name or ""
    command = copy(command)
    command._help_option = None  # click keeps that of the first call, which may have been one without parents
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=own, **settings)
    depth = 2 if parent is None else 2 + (parent.parent is not None)
    yield f"{'#' * depth} {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from pages(found, context, inner)


def page(command: click.Command) -> str:
    head = "# Commands\n\nEvery command with its options, as `--help` shows them.\n"
    return "\n".join([head, *pages(command, name="hookengine")])
