"""The files a command is about: YAML files, folders of them, or stdin. None is understood here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from hookengine.cli.failing import Misused
from hookengine.cli.options import text_of

_ENDINGS: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class NamedText:
    """`folder` is where the file lies; that of the process for stdin."""

    name: str
    text: str
    folder: Path


def names_files(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command the `names` of files, whether they are said alone or after -f."""

    @wraps(command)
    def with_names(*others: Any, names: tuple[str, ...], after_f: tuple[str, ...], **rest: Any) -> None:
        return command(*others, names=(*names, *after_f), **rest)

    alone = click.argument("names", nargs=-1, metavar="[FILE|FOLDER|-]...")
    option = click.option(
        "-f", "--file", "after_f", multiple=True, metavar="NAME", help="The same as NAME alone."
    )
    return alone(option(with_names))


def read_files(names: Sequence[str], config: Path | None = None) -> list[NamedText]:
    """All of them, each once; if none is named, the configuration: this one, else $HOOKENGINE_CONFIG or
    ./config.yaml."""
    usual = str(config or os.environ.get("HOOKENGINE_CONFIG", "config.yaml"))
    if not names and not Path(usual).exists():
        raise Misused(f"there is no {usual}; name a file, or make one with `hookengine init`")
    found = dict.fromkeys(place for name in names or [usual] for place in _places(name))
    return [_read(place) for place in found]


def _places(name: str) -> Iterator[str]:
    if name == "-" or not Path(name).is_dir():
        yield name
        return
    inside = sorted(
        path
        for path in Path(name).rglob("*")
        if path.suffix in _ENDINGS and path.is_file() and not _is_hidden(path.relative_to(name))
    )
    if not inside:
        raise Misused(f"there is no file *.yaml or *.yml in {name}")
    yield from map(str, inside)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read(place: str) -> NamedText:
    if place == "-":
        return NamedText("stdin", text_of("-"), Path.cwd())
    return NamedText(place, text_of(place).removeprefix("\N{BYTE ORDER MARK}"), Path(place).absolute().parent)
