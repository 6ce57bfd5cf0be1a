"""The page of the documents that has every command, made of their own help."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Final

import click

WIDTH: Final = 100

HEAD: Final = """\
# Commands

Every command with its options, as `--help` shows them.

## Whom they ask

Commands with `--server` and `--config` ask the API, and do the same wherever it is: they write the same, and
end with the same exit code. They ask one place, the first of these that is there:

- `--server URL`: that server, with the token of `--token-file FILE` or `$HOOKENGINE_TOKEN`
- `--config FILE`: the database of that configuration, in the command's own process
- `$HOOKENGINE_SERVER`: that server
- with a token, in `$HOOKENGINE_TOKEN` or `--token-file FILE`: the server at `http://127.0.0.1:8730`
- `$HOOKENGINE_CONFIG`, or `./config.yaml` if it is there: its database
- the server at `http://127.0.0.1:8730`

A database needs no token: whoever may open it and its key file may do everything. It is asked beside the nodes
that run, which notice within a second; what is to be sent, a node sends. To open it takes a second or two; a
server is asked in a tenth of that.

Data goes to stdout, everything else to stderr. `-o json` and `-o yaml` write what the API said. `NO_COLOR` takes
colours away.
"""


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
    return "\n".join([HEAD, *pages(command, name="hookengine")])
