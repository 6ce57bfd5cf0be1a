"""/api/pipelines: what actions run on."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from hookengine.domain.clock import Millis, as_text
from hookengine.domain.definition import Kind, Note
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.views import ListOf
from hookengine.web.api import views
from hookengine.web.api.answers import Force, failures, json_answer, json_body, list_answer
from hookengine.web.api.bodies import object_in
from hookengine.web.api.devopness import Shapes
from hookengine.web.api.editor import Editor
from hookengine.web.api.parameters import listed

PipelineId = Annotated[int, Path(ge=1, le=2**53, examples=[1])]
REPORTS: Final = "/api/deployment-events"

_KEY: Final = "hki_11124e2c79adac1ed4454890db0a7d3c20c66ba0"
_CREATE: Final = {"name": "shop-deploy", "team": "shop", "operation": "deploy"}
_CHANGE: Final = {"team": "payments"}
_PIPELINE: Final[dict[str, Any]] = {
    "id": 1,
    "name": "shop-deploy",
    "operation": "deploy",
    "team": "shop",
    "application": "",
    "environment": "",
    "context": {},
    "has_integration_key": True,
    "managed_by": "api",
    "created_at": "2026-11-22T10:15:00.250Z",
    "updated_at": "2026-11-22T10:15:00.250Z",
}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1, "description": "Left out: one that no other ever had"},
        "name": {"type": "string", "minLength": 3, "maxLength": 80},
        "operation": {"type": "string", "minLength": 1, "maxLength": 20},
        "team": {"type": "string", "maxLength": 80},
        "application": {"type": "string", "maxLength": 80},
        "environment": {"type": "string", "maxLength": 80},
        "context": {"type": "object"},
    },
    "additionalProperties": False,
}


def pipelines_router(editor: Editor, public_url: str) -> APIRouter:
    router = APIRouter(prefix="/api/pipelines", tags=["pipelines"])
    shapes = Shapes(editor=editor, public_url=public_url)
    _add_creating(router, editor, shapes)
    _add_reading(router, editor)
    _add_changing(router, editor, shapes)
    return router


def _add_creating(router: APIRouter, editor: Editor, shapes: Shapes) -> None:
    example = {**_PIPELINE, **reporting("http://127.0.0.1:8730", _KEY)}

    @router.post(
        "",
        operation_id="create_pipeline",
        status_code=201,
        responses={
            201: json_answer("The pipeline; its integration key is told this once", example),
            **failures(409, 413, 422),
        },
        openapi_extra=json_body({**_SCHEMA, "required": ["name"]}, _CREATE),
    )
    async def create_pipeline(request: Request) -> views.NewPipeline:
        """Create a pipeline. With the integration key that it answers another system may report to it, at the URL
        and in the way that it answers too."""
        pipeline, key = await editor.of(request).create_pipeline(await object_in(request))
        shown = await _shown(editor, pipeline)
        return {**shown, **reporting(shapes.base_of(request), key)}


def _add_reading(router: APIRouter, editor: Editor) -> None:
    @router.get(
        "",
        operation_id="list_pipelines",
        responses={
            200: list_answer("Some of them", _PIPELINE),
            **failures(422),
        },
    )
    async def list_pipelines(
        request: Request,
        response: Response,
        team: str | None = None,
        after: Annotated[int, Query(ge=0, le=2**53, description="Where the list before this one ended")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ListOf[views.Pipeline]:
        """By their ids. `next` is the `after` of the list that follows, null at the end."""
        found = [
            pipeline
            for pipeline in await editor.of(request).pipelines()
            if pipeline.id > after and team in (None, pipeline.team)
        ]
        notes = await editor.desk.notes(Kind.PIPELINE, [pipeline.id for pipeline in found[: limit + 1]])
        items = [
            (str(pipeline.id), shown(pipeline, notes[pipeline.id]))
            for pipeline in found[: limit + 1]
            if pipeline.id in notes
        ]
        return listed(request, response, items, limit, onward="after")

    @router.get(
        "/{pipeline_id}",
        operation_id="get_pipeline",
        responses={200: json_answer("The pipeline", _PIPELINE), **failures(404, 422)},
    )
    async def get_pipeline(pipeline_id: PipelineId, request: Request) -> views.Pipeline:
        return await _shown(editor, await editor.of(request).pipeline(pipeline_id))


def _add_changing(router: APIRouter, editor: Editor, shapes: Shapes) -> None:
    @router.patch(
        "/{pipeline_id}",
        operation_id="update_pipeline",
        responses={200: json_answer("The pipeline", _PIPELINE), **failures(404, 409, 413, 422)},
        openapi_extra=json_body(_SCHEMA, _CHANGE),
    )
    async def update_pipeline(
        pipeline_id: PipelineId, request: Request, force: Force = False
    ) -> views.Pipeline:
        """Change what is said; null takes a key away; all else stays as it is."""
        changes = await object_in(request)
        changed = await editor.of(request).change_pipeline(pipeline_id, changes, force=force)
        return await _shown(editor, changed)

    @router.delete(
        "/{pipeline_id}",
        operation_id="delete_pipeline",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(404, 409, 422)},
    )
    async def delete_pipeline(pipeline_id: PipelineId, request: Request, force: Force = False) -> Response:
        """Delete it with its hooks and secrets; what they still owe is cancelled. What happened stays readable, and
        its id is given to no other pipeline."""
        await editor.of(request).delete_pipeline(pipeline_id, force=force)
        return Response(status_code=204)

    @router.post(
        "/{pipeline_id}/integration-key",
        operation_id="renew_integration_key",
        responses={
            200: json_answer("The new key, told this once", reporting("http://127.0.0.1:8730", _KEY)),
            **failures(404, 409, 422),
        },
    )
    async def renew_integration_key(
        pipeline_id: PipelineId, request: Request, force: Force = False
    ) -> views.Reporting:
        """Make a new integration key. The one before is not good any more."""
        key = await editor.of(request).renew_integration_key(pipeline_id, force=force)
        return reporting(shapes.base_of(request), key)


def reporting(base: str, key: str) -> views.Reporting:
    """How another system reports what it deployed: its key, where to, and a command to try it with."""
    url = f"{base}{REPORTS}"
    body = json.dumps({"integrationKey": key, "summary": "My first deployment event"}, indent=2)
    curl = (
        f"curl --request POST \\\n  --url {url} \\\n"
        f"  --header 'Content-Type: application/json' \\\n  --data '{body}'"
    )
    return {"integration_key": key, "url": url, "curl": curl}


async def _shown(editor: Editor, pipeline: Pipeline) -> views.Pipeline:
    return shown(pipeline, await editor.desk.note(pipeline))


def shown(pipeline: Pipeline, note: Note) -> views.Pipeline:
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "operation": pipeline.operation,
        "team": pipeline.team,
        "application": pipeline.application,
        "environment": pipeline.environment,
        "context": dict(pipeline.context),
        "has_integration_key": bool(pipeline.integration_key_digest),
        "managed_by": note.managed_by,
        "created_at": _time(note.created_at),
        "updated_at": _time(note.updated_at),
    }


def _time(instant: Millis) -> str | None:
    """Of what was defined before anybody kept it: None."""
    return as_text(instant) if instant else None
