"""POST /hooks/{id}/trigger: the public URL of an incoming hook."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hookengine.engine.triggers import Triggers
from hookengine.web.api import views
from hookengine.web.api.answers import failures, json_answer, json_body

_NOTHING: Final = {"message": "Nothing was started: ref is not one of refs/heads/main.", "errors": None}
_STARTED: Final[dict[str, Any]] = {
    "message": "The action was started.",
    "errors": None,
    "action": {"id": 1000000041, "pipeline": {"id": 1, "name": "shop-deploy"}},
    "event": {"id": "evt_019ac0de7b207d3a9c550f2f6f0a3b12"},
    "matched": 2,
}


def triggers_router(triggers: Triggers) -> APIRouter:
    router = APIRouter(tags=["incoming hooks"])

    @router.post(
        "/hooks/{hook_id}/trigger",
        operation_id="trigger_hook",
        status_code=202,
        responses={
            200: json_answer("Its conditions do not hold: nothing was started", _NOTHING, views.Triggered),
            202: json_answer("The action was started", _STARTED, views.Triggered),
            **failures(403, 404, 408, 409, 413, 422),
        },
        openapi_extra=json_body({}, {"pull_request": {"head": {"sha": "6dcb09b"}}}, required=False),
    )
    async def trigger(hook_id: str, request: Request) -> Response:
        """Start an action of the hook's pipeline. 200 when its conditions do not hold and nothing starts.
        `matched`: how many hooks want its first event."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        triggered = await triggers.trigger(hook_id, await request.body(), headers)
        body: views.Triggered = {"message": "The action was started.", "errors": None}
        if triggered.action_id is None:
            return JSONResponse({**body, "message": f"Nothing was started: {triggered.because}."})
        answer = triggered.answer or {}
        started = {
            "action": answer["action"],
            "event": {"id": answer["id"]},
            "matched": len(answer["hooks"]),
        }
        return JSONResponse(
            {**body, **started}, 202, headers={"x-devopness-action-id": str(triggered.action_id)}
        )

    return router
