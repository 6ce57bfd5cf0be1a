"""GET /api/actions: runs of pipelines and what became of their news."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hookengine.domain import views
from hookengine.store.records import Page, WantedActions
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import failures, json_answer, list_answer
from hookengine.web.api.parameters import Before, Limit, Name, OfPipeline, Seen, Text, listed


def actions_router(seen: Seen) -> APIRouter:
    router = APIRouter(prefix="/api/actions", tags=["actions"])

    @router.get(
        "",
        operation_id="list_actions",
        responses={200: list_answer("Some of them", examples.RUN), **failures(422)},
    )
    async def list_actions(
        request: Request,
        response: Response,
        pipeline: OfPipeline = None,
        status: Text = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> views.ListOf[views.Action]:
        """Those heard of last first. `status` is such as in-progress."""
        wanted = WantedActions(pipeline=pipeline, status=status)
        found = await seen(request).actions(wanted, Page(before=before, limit=limit + 1))
        return listed(request, response, found, limit)

    @router.get(
        "/{action_id:path}",
        operation_id="get_action",
        responses={200: json_answer("The action", examples.ACTION), **failures(404, 422)},
    )
    async def get_action(
        request: Request, action_id: Name, pipeline: OfPipeline = None
    ) -> views.ActionDetails:
        """Its history: events, deliveries, and what each target shows now. 422 where several pipelines have an
        action of this id and none is named."""
        return await seen(request).action(action_id, pipeline)

    return router
