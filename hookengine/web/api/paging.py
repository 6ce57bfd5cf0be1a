"""Numbered pages with `Link` headers (RFC 8288), as Devopness has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Query

T = TypeVar("T")

PageNumber = Annotated[int, Query(ge=1, le=1_000_000_000, description="Counted from 1")]
PerPage = Annotated[int, Query(ge=1, le=100, description="How many items a page has")]
USUAL_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Page:
    """`url` is that of the list, without a query."""

    number: int
    size: int
    url: str

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    def of(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.offset : self.offset + self.size]

    def link(self, total: int) -> str:
        """`first` and `last` always, `prev` and `next` where there are any."""
        last = max(1, -(-total // self.size))
        wanted = {"first": 1, "prev": min(self.number - 1, last), "next": self.number + 1, "last": last}
        return ", ".join(
            f'<{self.url}?page={number}&per_page={self.size}>; rel="{name}"'
            for name, number in wanted.items()
            if 1 <= number <= last
        )
