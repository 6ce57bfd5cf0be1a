"""GET /api/commits/{sha}: what a commit shows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from hookengine.domain import views
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import failures, json_answer
from hookengine.web.api.parameters import Seen

Hash = Annotated[
    str, Path(pattern=r"^[^\x00/]{1,200}$", description="A hash, or its first seven digits or more")
]


def commits_router(seen: Seen) -> APIRouter:
    router = APIRouter(prefix="/api/commits", tags=["commits"])

    @router.get(
        "/{sha}",
        operation_id="get_commit",
        responses={200: json_answer("What it shows", examples.COMMIT), **failures(404, 422)},
    )
    async def get_commit(request: Request, sha: Hash) -> views.Commit:
        """Per context the states that were sent, the newest known to be shown and why, and a warning where one
        action's states were told under several contexts."""
        return await seen(request).commit(sha)

    return router
