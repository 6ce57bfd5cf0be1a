"""How commands end when they do not end well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import click

OK, NO, USAGE, UNREACHABLE, UNAUTHORISED, INTERRUPTED = 0, 1, 2, 3, 4, 130

EXIT_CODES = """\b
Exit codes:
  0    ok
  1    the answer is no
  2    wrong usage or configuration
  3    the server cannot be reached, or failed
  4    the server does not accept the token
  130  interrupted"""


class Failure(click.ClickException):
    """Ends the command with `exit_code`, after its lines were written to stderr."""

    def __init__(self, lines: str | Iterable[str], exit_code: int) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        self.exit_code = exit_code
        super().__init__("\n".join(self.lines))

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.lines:
            click.echo(line, file=file, err=file is None)
