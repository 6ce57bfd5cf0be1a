"""/api/hooks: outgoing hooks, as a file would define them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Path, Query, Request, Response

from hookengine.domain.clock import as_text
from hookengine.domain.definition import Kind, Note
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.views import ListOf
from hookengine.errors import InvalidDefinition, NotFound
from hookengine.manifest.checking import unknown_name
from hookengine.manifest.documents import hook_document, request_document
from hookengine.web.api import devopness_examples as examples
from hookengine.web.api import views
from hookengine.web.api.answers import Force, failures, json_answer, json_body, list_answer
from hookengine.web.api.bodies import object_in
from hookengine.web.api.editor import Editor
from hookengine.web.api.parameters import OfPipeline, listed

HookId = Annotated[str, Path(min_length=1, max_length=64, examples=[examples.HOOK_ID])]

CREATE: Final[dict[str, Any]] = {
    "pipeline": 1,
    "preset": "github/commit-status",
    "with": {"repository": "acme/shop", "token": "{{ application.source_provider.access_token }}"},
}
HOOK_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A hook as in a file: its own request, or a preset with its blanks filled.",
}
_HOOK: Final[dict[str, Any]] = {
    "id": examples.HOOK_ID,
    "name": "CI(build)",
    "active": True,
    "trigger_when": {"events": ["action.started"], "conditions": []},
    "action_type": "deploy",
    "method": "POST",
    "target_url": examples.CREATE["target_url"],
    "settings": examples.CREATE["settings"],
    "pipeline": 1,
    "version": 1,
    "state": "active",
    "because": None,
    "managed_by": "api",
    "created_at": "2026-11-22T10:15:00.250Z",
    "updated_at": "2026-11-22T10:15:00.250Z",
}
_VERSION: Final = {
    key: value
    for key, value in _HOOK.items()
    if key not in ("pipeline", "state", "because", "managed_by", "updated_at")
}
_STATES: Final = {
    "enable": (HookState.ACTIVE, "Match events again. What was cancelled meanwhile stays so."),
    "disable": (HookState.DISABLED, "Match nothing any more; what waits is cancelled."),
    "pause": (HookState.PAUSED, "Go on matching events, but let what it owes wait."),
}


def hooks_router(editor: Editor) -> APIRouter:
    router = APIRouter(prefix="/api/hooks", tags=["hooks"])
    _add_defining(router, editor)
    _add_reading(router, editor)
    for name, (state, meaning) in _STATES.items():
        _add_switch(router, editor, name, state, meaning)
    return router


def _add_defining(router: APIRouter, editor: Editor) -> None:
    @router.post(
        "",
        operation_id="create_hook",
        status_code=201,
        responses={201: json_answer("The hook", _HOOK), **failures(409, 413, 422)},
        openapi_extra=json_body(HOOK_SCHEMA, CREATE),
    )
    async def create_hook(request: Request) -> views.Hook:
        """Create a hook of a pipeline, which is named by id or name, or of all pipelines if it names none."""
        mine, document = editor.of(request), await object_in(request)
        pipeline_id = await pipeline_named(mine, document.pop("pipeline", None))
        hook = await mine.create_hook(document, pipeline_id)
        return await _shown(editor, hook)

    @router.patch(
        "/{hook_id}",
        operation_id="change_hook",
        responses={200: json_answer("The hook", _HOOK), **failures(404, 409, 413, 422)},
        openapi_extra=json_body(HOOK_SCHEMA, {"name": "CI(build), on main"}),
    )
    async def change_hook(hook_id: HookId, request: Request, force: Force = False) -> views.Hook:
        """Change what is said; null takes a key away; all else stays as it is, inside of `settings`,
        `trigger_when` and `with` too. One that goes to another host loses the secrets of its own."""
        changes = await object_in(request)
        return await _shown(editor, await editor.of(request).change_hook(hook_id, changes, force=force))

    @router.delete(
        "/{hook_id}",
        operation_id="remove_hook",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(404, 409, 422)},
    )
    async def remove_hook(hook_id: HookId, request: Request, force: Force = False) -> Response:
        """Delete it; what it still owes is cancelled."""
        await editor.of(request).delete_hook(hook_id, force=force)
        return Response(status_code=204)


def _add_reading(router: APIRouter, editor: Editor) -> None:
    @router.get(
        "",
        operation_id="list_hooks",
        responses={200: list_answer("Some of them", _HOOK), **failures(422)},
    )
    async def list_hooks(
        request: Request,
        response: Response,
        pipeline: OfPipeline = None,
        name: str | None = None,
        state: HookState | None = None,
        after: Annotated[str, Query(description="Where the list before this one ended")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ListOf[views.Hook]:
        """By their ids. `next` is the `after` of the list that follows, null at the end."""
        mine = editor.of(request)
        wanted = None if pipeline is None else await pipeline_named(mine, pipeline)
        found = [
            hook
            for hook in await mine.hooks()
            if hook.id > after
            and (wanted is None or hook.pipeline_id == wanted)
            and name in (None, hook.name)
            and state in (None, hook.state)
        ]
        items = await shown_all(editor, found[: limit + 1])
        return listed(request, response, [(item["id"], item) for item in items], limit, onward="after")

    @router.get(
        "/{hook_id}",
        operation_id="show_hook",
        responses={200: json_answer("The hook", _HOOK), **failures(404, 422)},
    )
    async def show_hook(hook_id: HookId, request: Request) -> views.Hook:
        """As a file would define it, and what became of it. Secrets are names."""
        return await _shown(editor, await editor.of(request).hook(hook_id))

    @router.get(
        "/{hook_id}/versions",
        operation_id="list_hook_versions",
        responses={
            200: json_answer("All of them", {"items": [_VERSION], "next": None}),
            **failures(404, 422),
        },
    )
    async def list_hook_versions(hook_id: HookId, request: Request) -> ListOf[views.HookVersion]:
        """Everything it ever was, the newest first. Deliveries name the version they were rendered with."""
        await editor.of(request).hook(hook_id)
        revisions = await editor.desk.revisions(hook_id)
        return {"items": [_version(hook, as_text(at)) for hook, at in revisions], "next": None}

    @router.get(
        "/{hook_id}/versions/{version}",
        operation_id="get_hook_version",
        responses={
            200: json_answer("What it was then", _VERSION),
            **failures(404, 422),
        },
    )
    async def get_hook_version(
        hook_id: HookId, version: Annotated[int, Path(ge=1, le=2**31 - 1)], request: Request
    ) -> views.HookVersion:
        await editor.of(request).hook(hook_id)
        for hook, at in await editor.desk.revisions(hook_id):
            if hook.revision == version:
                return _version(hook, as_text(at))
        raise NotFound("version", version)


def _add_switch(router: APIRouter, editor: Editor, name: str, state: HookState, meaning: str) -> None:
    wants_reason = state is not HookState.ACTIVE
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 300}},
        "required": ["reason"] if wants_reason else [],
    }

    @router.post(
        f"/{{hook_id}}/{name}",
        operation_id=f"{name}_hook",
        description=meaning,
        responses={200: json_answer("The hook", _HOOK), **failures(404, 413, 422)},
        openapi_extra=json_body(schema, {"reason": "the shop moves to another host"}, required=wants_reason),
    )
    async def switch(hook_id: HookId, request: Request) -> views.Hook:
        document = await object_in(request) if await request.body() else {}
        because = _reason(document, required=wants_reason)
        await editor.of(request).hook(hook_id)
        return await _shown(editor, await editor.desk.switch(hook_id, state, because))


def _reason(document: dict[str, Any], *, required: bool) -> str:
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 300 or "\0" in reason:
        raise InvalidDefinition({"reason": ["Must be a text of up to 300 characters."]})
    if required and not reason.strip():
        raise InvalidDefinition({"reason": ["Is required: others will want to know."]})
    return reason.strip()


async def pipeline_named(editor: Editor, reference: Any) -> int | None:
    """The id of the pipeline of this id or name; None for none. A name of digits is nobody else's id. Raises
    InvalidDefinition."""
    if reference is None:
        return None
    known = await editor.pipelines()
    found = None
    if isinstance(reference, int | str) and not isinstance(reference, bool):
        by_name = {pipeline.name: pipeline for pipeline in known}
        by_id = {str(pipeline.id): pipeline for pipeline in known}
        found = by_id.get(str(reference)) or by_name.get(str(reference))
    if found is None:
        names = [pipeline.name for pipeline in known]
        raise InvalidDefinition({"pipeline": [unknown_name("pipeline", str(reference), names)]})
    return found.id


async def _shown(editor: Editor, hook: Hook) -> views.Hook:
    return shown(hook, await editor.desk.note(hook))


async def shown_all(editor: Editor, hooks: Sequence[Hook]) -> list[views.Hook]:
    notes = await editor.desk.notes(Kind.HOOK, [hook.id for hook in hooks])
    return [shown(hook, notes[hook.id]) for hook in hooks if hook.id in notes]


def shown(hook: Hook, note: Note) -> views.Hook:
    return {
        **_document(hook),
        "pipeline": hook.pipeline_id,
        "version": hook.revision,
        "state": hook.state.value,
        "because": note.because or None,
        "managed_by": note.managed_by,
        "created_at": as_text(note.created_at),
        "updated_at": as_text(note.updated_at),
    }


def _document(hook: Hook) -> views.HookDocument:
    """Of one that is made of a preset, the request that became of it as well."""
    document = cast("views.HookDocument", hook_document(hook))
    if hook.preset is not None:
        document["request"] = cast("views.RequestTemplate", request_document(hook))
    return document


def _version(hook: Hook, at: str) -> views.HookVersion:
    return {"version": hook.revision, "created_at": at, **_document(hook)}
