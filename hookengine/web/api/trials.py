"""Trying hooks out: what they would send, and one request that is really sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request

from hookengine.domain import trial_views
from hookengine.domain.event import Event
from hookengine.domain.hook import Hook
from hookengine.engine.preview import Preview
from hookengine.engine.trials import EVENT, EVENT_ID, IGNORE, SAMPLE, Trials
from hookengine.errors import InvalidDefinition
from hookengine.web.api import devopness_examples as examples
from hookengine.web.api.answers import failures, json_answer, json_body
from hookengine.web.api.bodies import object_in
from hookengine.web.api.editor import Editor
from hookengine.web.api.hooks import CREATE, HOOK_SCHEMA, pipeline_named
from hookengine.web.callers import check_events, pipelines_of

HookId = Annotated[str, Path(min_length=1, max_length=64, examples=[examples.HOOK_ID])]

_KEYS: Final = frozenset({EVENT, EVENT_ID, SAMPLE, IGNORE})
_PROPERTIES: Final[dict[str, Any]] = {
    EVENT: {"type": "object", "description": "An event as a platform would send it"},
    EVENT_ID: {"type": "string", "description": "One that was sent"},
    SAMPLE: {"type": "string", "description": "The type of one to be made up; left out: what the hook wants"},
    IGNORE: {"type": "boolean", "description": "Render it although the hook does not match"},
}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": _PROPERTIES,
    "additionalProperties": False,
}
_WITH_HOOK: Final[dict[str, Any]] = {
    **_SCHEMA,
    "properties": {**_PROPERTIES, "hook": HOOK_SCHEMA},
    "required": ["hook"],
}
_PREVIEW: Final[dict[str, Any]] = {
    "hook": {"id": examples.HOOK_ID, "name": "CI(build)"},
    "matches": True,
    "why_not": None,
    "before": [],
    "check": None,
    "request": {
        "method": "POST",
        "url": examples.REQUEST["url"],
        "headers": [
            {
                "name": "Authorization",
                "value": "Bearer <context:1:application.source_provider.access_token>",
            }
        ],
        "body": '{"state":"pending"}',
    },
    "lane": {"key": f"hook:{examples.HOOK_ID}:1:41", "policy": "ordered"},
    "error": None,
}
_TEST: Final[dict[str, Any]] = {
    **_PREVIEW,
    "sent": {
        "id": "test_019ac0de7b207d3a9c550f2f6f0a3b12",
        "outcome": "answered",
        "because": "201",
        "detail": {"status": 201, "headers": {}, "body": "{}", "renewed": False, "timing": None},
    },
}


def trials_router(editor: Editor, trials: Trials) -> APIRouter:
    router = APIRouter(prefix="/api/hooks", tags=["hooks"])
    rendering = _Rendering(trials)

    @router.post(
        "/preview",
        operation_id="preview_unsaved_hook",
        responses={200: json_answer("What would be sent", _PREVIEW), **failures(404, 413, 422)},
        openapi_extra=json_body(_WITH_HOOK, {"hook": CREATE, "sample": "action.started"}),
    )
    async def preview_unsaved_hook(request: Request) -> trial_views.Preview:
        """What a hook would send if it were created like this. Nothing is kept and nothing sent."""
        mine, document = editor.of(request), await object_in(request)
        wished = document.pop("hook", None)
        if not isinstance(wished, dict):
            raise InvalidDefinition({"hook": ["Is required, and must be an object."]})
        pipeline_id = await pipeline_named(mine, wished.pop("pipeline", None))
        hook = mine.checked_hook(wished, pipeline_id)
        return (await rendering.of(mine, hook, document)).shown()

    @router.post(
        "/{hook_id}/preview",
        operation_id="preview_hook",
        responses={200: json_answer("What would be sent", _PREVIEW), **failures(404, 413, 422)},
        openapi_extra=json_body(_SCHEMA, {"sample": "action.started"}, required=False),
    )
    async def preview_hook(hook_id: HookId, request: Request) -> trial_views.Preview:
        """What the hook would send for a sample, or for an event that was sent or is given. Nothing is sent;
        secrets are shown by their names."""
        mine = editor.of(request)
        hook = await mine.hook(hook_id)
        return (await rendering.of(mine, hook, await _said(request))).shown()

    @router.post(
        "/{hook_id}/test",
        operation_id="test_hook",
        responses={
            200: json_answer("What was sent, and what came of it", _TEST),
            **failures(404, 413, 422, 429),
        },
        openapi_extra=json_body(_SCHEMA, {"sample": "action.started"}, required=False),
    )
    async def test_hook(hook_id: HookId, request: Request) -> trial_views.Tested:
        """Send one request, really, with the secrets there are now: what it changes at the target is changed. It
        waits in no lane, is no delivery, is not tried again and stands nowhere but in this answer. `sent` is null
        when there was nothing to send."""
        mine = editor.of(request)
        hook = await mine.hook(hook_id)
        shown = await rendering.of(mine, hook, await _said(request))
        sent = None if shown.request is None else await trials.send(hook, shown)
        return {**shown.shown(), "sent": sent}

    return router


class _Rendering:
    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    async def of(self, editor: Editor, hook: Hook, said: Mapping[str, Any]) -> Preview:
        unknown = sorted(set(said) - _KEYS)
        if unknown:
            raise InvalidDefinition({name: ["Is not known here."] for name in unknown})
        ignore = said.get(IGNORE, False)
        if not isinstance(ignore, bool):
            raise InvalidDefinition({IGNORE: ["Must be true or false."]})
        if said.get(EVENT) is not None:
            check_events(editor.caller, [Event.parse(said[EVENT])], editor.desk.known)
        occasion = await self._trials.occasion(hook, said, pipelines_of(editor.caller, editor.desk.known))
        return self._trials.preview(hook, occasion, ignore_conditions=ignore)


async def _said(request: Request) -> dict[str, Any]:
    return await object_in(request) if await request.body() else {}
