"""Parameters that many lists share, and the shape in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Path, Query, Request

from hookengine.store.records import FIELDS, Records

Seen = Callable[[Request], Records]
"""What whoever makes a request gets to see."""

Identity = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,200}$")]
Name = Annotated[str, Path(pattern=r"^[^\x00]{1,200}$")]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[
    str | None, Query(description="The `next` of the list before this one", pattern=r"^[\x21-\x7e]{1,300}$")
]
Search = Annotated[
    str,
    Query(max_length=2000, description=f"`field:value`, several of them; fields are {', '.join(FIELDS)}"),
]
Moment = Annotated[
    str | None, Query(max_length=40, description="RFC 3339, or how long ago, such as 30m, 2h or 7d")
]
Text = Annotated[str | None, Query(pattern=r"^[^\x00]{1,200}$")]
Several = Annotated[list[str] | None, Query()]


def a_list(
    found: Sequence[dict[str, Any]], limit: int, place: Callable[[dict[str, Any]], str]
) -> dict[str, Any]:
    """Of one more than asked for, if there are more. `next` is the `before` of the list that follows."""
    items = list(found[:limit])
    return {"items": items, "next": place(items[-1]) if len(found) > limit else None}


def placed(found: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A list of things that say themselves where it goes on."""
    listed = a_list(found, limit, lambda item: str(item["place"]))
    listed["items"] = [
        {name: value for name, value in item.items() if name != "place"} for item in listed["items"]
    ]
    return listed
