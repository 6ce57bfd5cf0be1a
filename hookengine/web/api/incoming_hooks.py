"""/api/incoming-hooks: URLs that start an action of their pipeline."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Path, Query, Request, Response

from hookengine.domain.clock import as_text
from hookengine.domain.definition import Kind, Note
from hookengine.domain.pipeline import IncomingHook
from hookengine.domain.views import ListOf
from hookengine.errors import InvalidDefinition
from hookengine.manifest.documents import incoming_document
from hookengine.web.api import views
from hookengine.web.api.answers import Force, failures, json_answer, json_body, list_answer
from hookengine.web.api.bodies import object_in
from hookengine.web.api.devopness import Shapes
from hookengine.web.api.editor import Editor
from hookengine.web.api.hooks import pipeline_named
from hookengine.web.api.parameters import OfPipeline, listed

INCOMING_ID: Final = "019ac0de-7b1e-7d3a-9c55-0f2f6f0a3b19"
HookId = Annotated[str, Path(min_length=1, max_length=64, examples=[INCOMING_ID])]

_CREATE: Final[dict[str, Any]] = {
    "pipeline": 1,
    "name": "pull requests",
    "variables": [{"name": "commit_hash", "path": "pull_request.head.sha", "required": True}],
    "trigger_when": {"conditions": [{"path": "action", "accepted_values": ["opened", "synchronize"]}]},
}
_HOOK: Final[dict[str, Any]] = {
    "id": INCOMING_ID,
    "name": "pull requests",
    "pipeline": 1,
    "active": True,
    "variables": [
        {
            "name": "commit_hash",
            "path": "pull_request.head.sha",
            "type": "string",
            "required": True,
            "default_value": None,
        }
    ],
    "trigger_when": {
        "conditions": [
            {"type": "request_body", "path": "action", "accepted_values": ["opened", "synchronize"]}
        ]
    },
    "secret": "signature",
    "signature_header": "x-hub-signature-256",
    "requires_secret": True,
    "url": f"http://127.0.0.1:8730/hooks/{INCOMING_ID}/trigger",
    "managed_by": "api",
    "created_at": "2026-11-22T10:15:00.250Z",
    "updated_at": "2026-11-22T10:15:00.250Z",
}
_SECRET: Final = "9f1c3e2d" * 8
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "pipeline": {"type": ["integer", "string"]},
        "name": {"type": "string", "minLength": 1, "maxLength": 60},
        "active": {"type": "boolean"},
        "requires_secret": {"type": "boolean"},
        "secret": {"type": "string"},
        "signature_header": {"type": "string", "maxLength": 64},
        "variables": {"type": "array", "items": {"type": "object"}},
        "trigger_when": {"type": "object"},
    },
    "additionalProperties": False,
}


def incoming_hooks_router(editor: Editor, public_url: str) -> APIRouter:
    router = APIRouter(prefix="/api/incoming-hooks", tags=["incoming hooks"])
    shown = _Shown(editor, Shapes(editor=editor, public_url=public_url))
    _add_defining(router, editor, shown)
    _add_reading(router, editor, shown)
    return router


class _Shown:
    def __init__(self, editor: Editor, shapes: Shapes) -> None:
        self._editor = editor
        self._shapes = shapes

    async def one(self, request: Request, hook: IncomingHook) -> views.IncomingHook:
        return self.noted(request, hook, await self._editor.desk.note(hook))

    def noted(self, request: Request, hook: IncomingHook, note: Note) -> views.IncomingHook:
        return {
            **cast("views.IncomingHook", incoming_document(hook)),
            "pipeline": hook.pipeline_id,
            "requires_secret": hook.secret is not None,
            "url": f"{self._shapes.base_of(request)}/hooks/{hook.id}/trigger",
            "managed_by": note.managed_by,
            "created_at": as_text(note.created_at),
            "updated_at": as_text(note.updated_at),
        }


def _add_defining(router: APIRouter, editor: Editor, shown: _Shown) -> None:
    @router.post(
        "",
        operation_id="create_incoming_hook",
        status_code=201,
        responses={
            201: json_answer("The hook; its secret is told this once", {**_HOOK, "new_secret": _SECRET}),
            **failures(409, 413, 422),
        },
        openapi_extra=json_body({**_SCHEMA, "required": ["pipeline", "name"]}, _CREATE),
    )
    async def create_incoming_hook(request: Request) -> views.IncomingHook:
        """Create one. Its senders sign with the secret that it answers, unless `secret` names another one or
        `requires_secret` is false: then whoever knows its URL can start actions."""
        mine, document = editor.of(request), await object_in(request)
        pipeline_id = await pipeline_named(mine, document.pop("pipeline", None))
        if pipeline_id is None:
            raise InvalidDefinition({"pipeline": ["Is required."]})
        signed = _signed(document)
        own = signed is not False and document.get("secret") is None
        hook, secret = await mine.create_incoming_hook(document, pipeline_id, signed=own)
        told = await shown.one(request, hook)
        return told if secret is None else {**told, "new_secret": secret}

    @router.patch(
        "/{hook_id}",
        operation_id="change_incoming_hook",
        responses={200: json_answer("The hook", _HOOK), **failures(404, 409, 413, 422)},
        openapi_extra=json_body(_SCHEMA, {"active": False}),
    )
    async def change_incoming_hook(
        hook_id: HookId, request: Request, force: Force = False
    ) -> views.IncomingHook:
        """Change what is said; null takes a key away; all else stays as it is. With `requires_secret` false
        nobody has to sign any more."""
        mine, changes = editor.of(request), await object_in(request)
        signed = _signed(changes)
        names_none = signed and changes.get("secret") is None
        if names_none and (await mine.incoming_hook(hook_id)).secret is None:
            advice = "Name a `secret`, or ask for one of its own with POST .../secret, which answers it."
            raise InvalidDefinition({"requires_secret": [advice]})
        hook = await mine.change_incoming_hook(hook_id, changes, unsigned=signed is False, force=force)
        return await shown.one(request, hook)

    @router.delete(
        "/{hook_id}",
        operation_id="remove_incoming_hook",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(404, 409, 422)},
    )
    async def remove_incoming_hook(hook_id: HookId, request: Request, force: Force = False) -> Response:
        """Delete it; its URL is not found from then on."""
        await editor.of(request).delete_incoming_hook(hook_id, force=force)
        return Response(status_code=204)

    @router.post(
        "/{hook_id}/secret",
        operation_id="renew_incoming_secret",
        responses={
            200: json_answer("The new secret, told this once", {"new_secret": _SECRET}),
            **failures(404, 409, 422),
        },
    )
    async def renew_incoming_secret(
        hook_id: HookId, request: Request, force: Force = False
    ) -> views.NewSecret:
        """Make it a new secret of its own. Senders must sign with this one from now on."""
        return {"new_secret": await editor.of(request).renew_secret(hook_id, force=force)}


def _add_reading(router: APIRouter, editor: Editor, shown: _Shown) -> None:
    @router.get(
        "",
        operation_id="list_incoming_hooks",
        responses={200: list_answer("Some of them", _HOOK), **failures(422)},
    )
    async def list_incoming_hooks(
        request: Request,
        response: Response,
        pipeline: OfPipeline = None,
        after: Annotated[str, Query(description="Where the list before this one ended")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ListOf[views.IncomingHook]:
        """By their ids. `next` is the `after` of the list that follows, null at the end."""
        mine = editor.of(request)
        wanted = None if pipeline is None else await pipeline_named(mine, pipeline)
        found = [
            hook
            for hook in await mine.incoming_hooks()
            if hook.id > after and wanted in (None, hook.pipeline_id)
        ]
        notes = await editor.desk.notes(Kind.INCOMING_HOOK, [hook.id for hook in found[: limit + 1]])
        items = [
            (hook.id, shown.noted(request, hook, notes[hook.id]))
            for hook in found[: limit + 1]
            if hook.id in notes
        ]
        return listed(request, response, items, limit, onward="after")

    @router.get(
        "/{hook_id}",
        operation_id="get_incoming_hook",
        responses={200: json_answer("The hook", _HOOK), **failures(404, 422)},
    )
    async def get_incoming_hook(hook_id: HookId, request: Request) -> views.IncomingHook:
        return await shown.one(request, await editor.of(request).incoming_hook(hook_id))


def _signed(document: dict[str, Any]) -> bool | None:
    signed = document.pop("requires_secret", None)
    if signed is not None and not isinstance(signed, bool):
        raise InvalidDefinition({"requires_secret": ["Must be true or false."]})
    if signed is False and document.get("secret") is not None:
        raise InvalidDefinition({"secret": ["Is named, but requires_secret is false."]})
    return signed
