"""What keeps secrets unreadable at rest."""

from __future__ import annotations

from typing import Protocol


class Seal(Protocol):
    """`belongs_to` names the place of the value; in another place it does not open."""

    def seal(self, value: str, belongs_to: str) -> str: ...

    def open(self, sealed: str, belongs_to: str) -> str: ...


class PlainSeal:
    """No sealing at all, for trying things out."""

    def seal(self, value: str, belongs_to: str) -> str:
        return value

    def open(self, sealed: str, belongs_to: str) -> str:
        return sealed
