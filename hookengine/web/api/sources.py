"""Where other systems report what they did, each in its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hookengine.sources import Hearing, Taken

WEBHOOKS = "/api/sources"


def sources_router(hearing: Hearing) -> APIRouter:
    """Of those that are on."""
    router = APIRouter(tags=["sources"])
    if "github" in hearing.setups:
        _add_github(router, hearing)
    return router


def open_paths(hearing: Hearing) -> tuple[str, ...]:
    """Those where the request itself shows who sent it, so that it needs no token."""
    webhooks = [
        name for name in ("github", "gitlab") if name in hearing.setups and hearing.setups[name].secret
    ]
    return tuple(path for name in webhooks for path in (f"{WEBHOOKS}/{name}", f"{WEBHOOKS}/{name}/*"))


def _add_github(router: APIRouter, hearing: Hearing) -> None:
    @router.post(f"{WEBHOOKS}/github", operation_id="hear_github", status_code=202)
    async def of_anything(request: Request) -> Response:
        """A webhook of GitHub; the settings say which pipeline it is about. 200 when nothing comes of it."""
        return told(await hearing.github(await request.body(), headers_of(request)))

    @router.post(f"{WEBHOOKS}/github/{{pipeline}}", operation_id="hear_github_of_pipeline", status_code=202)
    async def of_pipeline(pipeline: str, request: Request) -> Response:
        """A webhook of GitHub about this pipeline, by id or name. 200 when nothing comes of it."""
        return told(await hearing.github(await request.body(), headers_of(request), pipeline))


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
