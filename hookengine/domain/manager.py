"""Which files manage what is defined: everything has one manager, files, the API, or events."""

from __future__ import annotations

from typing import Final

SERVED: Final = "file"
"""The configuration file that `serve` starts with."""

_APPLIED: Final = f"{SERVED}:"


def of_files(name: str) -> str:
    """The manager of what is applied under this name, or of what `serve` starts with."""
    return SERVED if name == SERVED else _APPLIED + name


def name_of(manager: str) -> str:
    """What people call it."""
    return manager.removeprefix(_APPLIED)


def is_files(manager: str) -> bool:
    """Whether files are to be changed, so that it changes."""
    return manager == SERVED or manager.startswith(_APPLIED)
