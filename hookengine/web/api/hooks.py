"""POST /hooks/{id}/trigger: the public URL of an incoming hook."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hookengine.engine.triggers import Triggers


def hooks_router(triggers: Triggers) -> APIRouter:
    router = APIRouter()

    @router.post("/hooks/{hook_id}/trigger", operation_id="trigger_hook", status_code=202)
    async def trigger(hook_id: str, request: Request) -> Response:
        """Start an action of the hook's pipeline. 200 when its conditions do not hold and nothing starts."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        triggered = await triggers.trigger(hook_id, await request.body(), headers)
        body: dict[str, Any] = {"message": "The action was started.", "errors": None}
        if triggered.action_id is None:
            return JSONResponse({**body, "message": f"Nothing was started: {triggered.because}."})
        answer = triggered.answer or {}
        return JSONResponse(
            {**body, "action": answer["action"], "event": {"id": answer["id"]}, "hooks": answer["hooks"]},
            202,
            headers={"x-devopness-action-id": str(triggered.action_id)},
        )

    return router
