"""/api/hooks/{id}/signing-secret: what a hook's requests are signed with."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from hookengine.web.api import views
from hookengine.web.api.answers import Force, failures, json_answer
from hookengine.web.api.editor import Editor
from hookengine.web.api.hooks import HookId

_SECRET: Final = "whsec_" + "9f1c3e2d" * 5 + "9f0="


def signing_router(editor: Editor) -> APIRouter:
    router = APIRouter(prefix="/api/hooks/{hook_id}/signing-secret", tags=["hooks"])

    @router.post(
        "",
        operation_id="renew_signing_secret",
        responses={
            200: json_answer("The new secret, told this once", {"new_secret": _SECRET}),
            **failures(404, 409, 422),
        },
    )
    async def renew_signing_secret(
        hook_id: HookId, request: Request, force: Force = False
    ) -> views.NewSecret:
        """Sign its requests as Standard Webhooks has it, with a new secret of its own and, so that receivers may
        change over, with the one before as well; older ones are gone. Commit-status calls are never signed."""
        return {"new_secret": await editor.of(request).renew_signing(hook_id, force=force)}

    @router.delete(
        "",
        operation_id="stop_signing",
        status_code=204,
        responses={204: {"description": "Its requests are not signed"}, **failures(404, 409, 422)},
    )
    async def stop_signing(hook_id: HookId, request: Request, force: Force = False) -> Response:
        """Sign its requests no more; the secrets that were made for it are gone."""
        await editor.of(request).stop_signing(hook_id, force=force)
        return Response(status_code=204)

    return router
