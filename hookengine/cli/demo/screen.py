"""How the demo looks: colours and boxes on a terminal, plain lines everywhere else."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

CALM = 0.07  # seconds between lines on a terminal, for the eye

GOOD = frozenset({"success", "SUCCESSFUL"})
BAD = frozenset({"failure", "failed", "FAILED", "error"})


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self.pause = CALM if self._console.is_terminal else 0.0

    def say(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def happened(
        self, at: float, *, event: str, host: str, outcome: str, state: str, context: str, remark: str
    ) -> None:
        line = Text(f"{at:5.1f}s  ", style="dim")
        line.append(f"{event:<17} ", style="default not dim")
        line.append(f"{host:<10} ", style="bold not dim")
        line.append(f"{outcome:<17} ", style=f"{_outcome_style(outcome)} not dim")
        line.append(f"{state:<10} ", style=f"{_state_style(state)} not dim")
        line.append(context, style="default not dim")
        if remark:
            line.append(f"  {remark}", style="yellow not dim")
        self._console.print(line)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The last column is a verdict: `ok`, or anything else."""
        self.say()
        if self._console.is_terminal:
            self._boxed(title, columns, rows)
            return
        self.say(title)
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say(f"  {'  '.join(cells)}".rstrip())

    def _boxed(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.ROUNDED)
        for *cells, verdict in rows:
            table.add_row(
                *(Text(cell, style=_state_style(cell)) for cell in cells),
                Text(verdict, style="green" if verdict == "ok" else "bold red"),
            )
        self._console.print(table)


def _outcome_style(outcome: str) -> str:
    if outcome in ("superseded", "cancelled"):
        return "cyan"
    return "green" if outcome[-3:-2] == "2" else "red"


def _state_style(state: str) -> str:
    if state in GOOD:
        return "green"
    return "red" if state in BAD else "default"
