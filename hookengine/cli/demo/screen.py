"""How the demo looks: in colours on a terminal, in plain lines everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from hookengine.cli.showing import plain

CALM = 0.04  # seconds after each line on a terminal, for the eye

GOOD = frozenset({"success", "SUCCESSFUL", "ok"})
BAD = frozenset({"failure", "failed", "FAILED", "error", "WRONG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attempt, or the end of a delivery that was not sent. `at`: seconds since the beginning."""

    at: float
    event: str
    host: str
    outcome: str
    state: str
    context: str
    remark: str = ""


class Screen:
    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False)
        self.pause = CALM if self._console.is_terminal else 0.0

    def say(self, text: str = "", style: str = "") -> None:
        self._print(Text(text, style=style))

    def happened(self, line: Line) -> None:
        self._print(
            Text.assemble(
                (f"{line.at:5.1f}s  ", "dim"),
                f"{line.event:<16}  ",
                (f"{line.host:<9}  ", "bold"),
                (f"{line.outcome:<16}  ", _style_of_outcome(line.outcome)),
                (f"{plain(line.state):<10}  ", _style_of(line.state)),
                plain(line.context),
                (f"  {plain(line.remark)}" if line.remark else "", "yellow"),
            )
        )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        self.say()
        self.say(title, "bold")
        self.say("  " + "  ".join(map(str.ljust, columns, widths)), "dim")
        for row in rows:
            cells = zip(row, widths, strict=True)
            self._print(
                Text.assemble(*((f"  {plain(cell):{width}}", _style_of(cell)) for cell, width in cells))
            )

    def _print(self, text: Text) -> None:
        """A line too long is for the terminal to break, not for us."""
        text.rstrip()
        self._console.print(text, soft_wrap=True)


def _style_of_outcome(outcome: str) -> str:
    if outcome in ("superseded", "cancelled"):
        return "cyan"
    return "green" if outcome.rpartition(" ")[2].startswith("2") else "red"


def _style_of(state: str) -> str:
    if state in GOOD:
        return "green"
    return "red" if state in BAD else ""
