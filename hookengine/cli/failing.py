"""How commands end when they do not end well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import click

NO = 1
INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    ok
  1    the answer is no
  2    wrong usage or configuration
  3    the server or the database cannot be reached, or failed
  4    the server does not accept the token, or not for this
  130  interrupted"""


class Failure(click.ClickException):
    """Ends the command after its lines were written to stderr."""

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        super().__init__("\n".join(self.lines))

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.lines:
            click.echo(line, file=file, err=file is None)


class AnswerIsNo(Failure):
    exit_code = NO


class Bug(Failure):
    exit_code = NO


class Misused(Failure):
    exit_code = 2


class Unreachable(Failure):
    exit_code = 3


class NotAuthorised(Failure):
    exit_code = 4
