"""Where other systems report what they did, each in its own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hookengine.sources import Hearing, Taken

WEBHOOKS = "/api/sources"

OF_ANY = "The settings, or the report itself, say which pipeline it is about. 200 when nothing comes of it."
OF_ONE = "The pipeline is named by id or name. 200 when nothing comes of it."

Hears = Callable[[bytes, Mapping[str, str], str], Awaitable[Taken]]


def sources_router(hearing: Hearing) -> APIRouter:
    """Of those that are on."""
    router = APIRouter(tags=["sources"])
    webhooks = (("github", "GitHub", hearing.github), ("gitlab", "GitLab", hearing.gitlab))
    for name, system, hear in webhooks:
        if name in hearing.setups:
            _add_webhook(router, name, system, hear)
    return router


def open_paths(hearing: Hearing) -> tuple[str, ...]:
    """Those where the request itself shows who sent it, so that it needs no token."""
    webhooks = [
        name for name in ("github", "gitlab") if name in hearing.setups and hearing.setups[name].secret
    ]
    return tuple(path for name in webhooks for path in (f"{WEBHOOKS}/{name}", f"{WEBHOOKS}/{name}/*"))


def _add_webhook(router: APIRouter, name: str, system: str, hear: Hears) -> None:
    path = f"{WEBHOOKS}/{name}"

    @router.post(
        path,
        operation_id=f"hear_{name}",
        status_code=202,
        summary=f"A webhook of {system}",
        description=OF_ANY,
    )
    async def of_any(request: Request) -> Response:
        return told(await hear(await request.body(), headers_of(request), ""))

    @router.post(
        f"{path}/{{pipeline}}",
        operation_id=f"hear_{name}_of_pipeline",
        status_code=202,
        summary=f"A webhook of {system} about one pipeline",
        description=OF_ONE,
    )
    async def of_one(pipeline: str, request: Request) -> Response:
        return told(await hear(await request.body(), headers_of(request), pipeline))


def headers_of(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def told(taken: Taken) -> Response:
    """What came of it, without a word about hooks: who may report need not know them."""
    ignored = list(taken.ignored)
    if not taken.events:
        message = f"Nothing came of it: {'; '.join(ignored) or 'there was nothing in it'}."
        return JSONResponse({"message": message, "events": [], "ignored": ignored})
    events = [_told(event) for event in taken.events]
    return JSONResponse({"message": "Accepted.", "events": events, "ignored": ignored}, 202)


def _told(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("id", "type", "action")}
