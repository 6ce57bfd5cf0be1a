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


def as_data(value: Any, output: str) -> bool:
    """Whether it was asked for by a program; then it is written, as it is."""
    if output == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    elif output == "yaml":
        from hookengine.yaml_text import as_yaml

        click.echo(as_yaml(value), nl=False)
    return output != "table"


def status(word: str) -> str:
    return click.style(word, **COLOURS.get(word, {}))


def listing(noun: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table, or that there are none: on stderr, so that who counts lines counts none."""
    if rows:
        table(headings, rows)
    else:
        click.echo(f"no {noun}", err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Leaves out columns that say nothing. On a terminal columns are cut to fit, but never the first two."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [list(map(Text.from_ansi, row)) for row in rows]
    widths = [max((line[number].cell_len for line in lines), default=0) for number in range(len(headings))]
    wanted = [width and max(width, len(heading)) for width, heading in zip(widths, headings, strict=True)]
    console = Console(highlight=False, emoji=False, no_color=bool(os.environ.get("NO_COLOR")))
    if console.is_terminal:
        wanted = _fitted(wanted, console.width)
    console.width = sum(wanted) + 2 * len(wanted)
    out = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    columns = [number for number, width in enumerate(wanted) if width]
    for number in columns:
        out.add_column(Text(headings[number]), width=wanted[number], no_wrap=True, overflow="ellipsis")
    for line in lines:
        out.add_row(*(line[number] for number in columns))
    with console.capture() as captured:
        console.print(out)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _fitted(widths: list[int], room: int) -> list[int]:
    """The last column gets what the others leave, or 0; then the widest ones give way."""
    *widths, last = widths
    left = room - sum(width + 2 for width in widths if width)
    if left >= _SHORTEST_CUT:
        return [*widths, min(last, left)]
    for _ in range(-left):
        widest = max(range(2, len(widths)), key=lambda number: widths[number])
        widths[widest] = max(widths[widest] - 1, 5)
    return [*widths, 0]


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


def more(place: str | None) -> None:
    """Where a list goes on, for people."""
    if place:
        click.echo(f"there are more: --before {place}", err=True)


def cut(shown: dict[str, Any]) -> None:
    """Which lists go on beyond what is shown."""
    for name in shown.get("more", ()):
        click.echo(f"there are more {name}", err=True)


def target(shown: dict[str, Any]) -> None:
    """What one status of a commit shows, or one lane, and what was sent there."""
    if shown["context"]:
        place = f"{shown['repository']}  {shown['sha']}  {shown['context']}  ({shown['host']})"
    else:
        place = shown["lane"]["key"]
    click.echo(click.style(plain(place), bold=True))
    click.echo(f"  {plain(shown['why'])}")
    if shown.get("confirmed") is not None:
        click.echo(f"  asked at {shown['confirmed']['ended_at']}: {plain(shown['confirmed']['because'])}")
    for item in shown["sent"]:
        state = plain(item["state"] or item["event"]["type"])
        click.echo(f"  {item['accepted_at']}  {state:12}  {status(item['status'])}  {item['id']}")
    if shown.get("more"):
        click.echo("  older ones are left out")
