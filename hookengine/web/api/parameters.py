"""Parameters that many lists share, and the shape in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response

from hookengine.domain import views
from hookengine.store.records import FIELDS, Records

T = TypeVar("T")

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
OfPipeline = Annotated[
    Text, Query(description="A pipeline's id or name; digits are an id where there is one")
]
Several = Annotated[list[str] | None, Query()]


def listed(
    request: Request,
    response: Response,
    found: Sequence[tuple[str, T]],
    limit: int,
    *,
    onward: str = "before",
) -> views.ListOf[T]:
    """Of one more than asked for, if there are more, each with where a list can go on. `next` is the parameter
    `onward` of the list that follows, which the `Link` header leads to."""
    items = [item for _, item in found[:limit]]
    place = found[limit - 1][0] if len(found) > limit else None
    link_onward(request, response, place, onward)
    return {"items": items, "next": place}


def link_onward(request: Request, response: Response, place: str | None, onward: str = "before") -> None:
    """The `Link` header of a list that goes on there; None: nowhere."""
    if place is None:
        return
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != onward]
    response.headers["link"] = f'<{request.url.path}?{urlencode([*kept, (onward, place)])}>; rel="next"'
