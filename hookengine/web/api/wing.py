"""Routes that are built together, or not at all where nobody goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Wing:
    """`begins`: the first step or two of their paths. `strict`: parameters that they do not know are refused."""

    begins: tuple[str, ...]
    build: Callable[[], APIRouter]
    strict: bool = True

    def leads_to(self, way: str) -> bool:
        """Whether paths that begin with `way`, two steps or a whole path, may be among its own."""
        return any(f"{way}/".startswith(f"{begin}/") for begin in self.begins)
