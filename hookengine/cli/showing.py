"""How things look on a terminal: aligned, calm, and never by colour alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

COLOURS: Final[dict[str, dict[str, Any]]] = {
    "delivered": {"fg": "green"},
    "failed": {"fg": "red"},
    "retrying": {"fg": "yellow"},
    "sending": {"fg": "cyan"},
    "superseded": {"dim": True},
    "cancelled": {"dim": True},
}
"""Of the statuses of deliveries."""

_SHORTEST_CUT: Final = 20
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def plain(text: Any) -> str:
    """Without characters that would steer the terminal: targets answer what they like."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)
    )


def relative(moment: str | None, now: datetime) -> str:
    """`3m ago` or `in 4m`, of a time in RFC 3339."""
    if moment is None:
        return ""
    seconds = round((datetime.fromisoformat(moment) - now).total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size or size == 1)
    amount = f"{abs(seconds) // size}{unit}"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def now() -> datetime:
    return datetime.now(UTC)


def status(word: str) -> str:
    return click.style(word, **COLOURS.get(word, {}))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Leaves out columns that say nothing. On a terminal the last one is cut, or left out, to fit."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [list(map(Text.from_ansi, row)) for row in rows]
    widths = [max((line[number].cell_len for line in lines), default=0) for number in range(len(headings))]
    columns = [number for number, width in enumerate(widths) if width]
    console = Console(highlight=False, emoji=False, no_color=bool(os.environ.get("NO_COLOR")))
    if console.is_terminal:
        last = len(headings) - 1
        taken = sum(max(widths[number], len(headings[number])) + 2 for number in columns if number != last)
        room = console.width - taken
        columns = [number for number in columns if number != last or room >= _SHORTEST_CUT]
        for line in lines:
            line[last].truncate(max(room, 1), overflow="ellipsis")
    else:
        console.width = sum(widths) + 12 * len(headings)
    out = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for number in columns:
        out.add_column(Text(headings[number]), no_wrap=True, overflow="ellipsis")
    for line in lines:
        out.add_row(*(line[number] for number in columns))
    with console.capture() as captured:
        console.print(out)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def facts(pairs: Iterable[tuple[str, str | None]]) -> None:
    """Names on the left, values on the right; what is not known is left out."""
    known = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{click.style(f'{name:{width}}', dim=True)}  {value}")


def request(shown: dict[str, Any]) -> None:
    """As it goes over the wire, only that JSON is set out for reading."""
    click.echo(f"{click.style(shown['method'], bold=True)} {plain(shown['url'])}")
    for header in shown["headers"]:
        click.echo(f"{click.style(plain(header['name']) + ':', dim=True)} {plain(header['value'])}")
    if shown["body"] is not None:
        click.echo()
        click.echo(plain(set_out(shown["body"])))


def set_out(body: str) -> str:
    """JSON with a line per value, any other text as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    return json.dumps(document, indent=2, ensure_ascii=False) if isinstance(document, dict | list) else body
