"""Hook requests, as Devopness has them: what our hooks have sent, attempt by attempt."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from hookengine.errors import NotFound
from hookengine.store.contract import Store
from hookengine.web.api import devopness_examples as examples
from hookengine.web.api import devopness_models as models
from hookengine.web.api.answers import failures, json_answer, page_answer
from hookengine.web.api.devopness import HookId, HookType, Shapes
from hookengine.web.api.devopness_views import DevopnessRequest, DevopnessRequestRelation
from hookengine.web.api.editor import Editor
from hookengine.web.api.paging import USUAL_PER_PAGE, Page, PageNumber, PerPage

RequestId = Annotated[str, Path(min_length=1, max_length=100, examples=[examples.REQUEST_ID])]


def hook_requests_router(editor: Editor, store: Store, public_url: str) -> APIRouter:
    router = APIRouter(tags=["devopness"])
    shapes = Shapes(editor=editor, public_url=public_url)

    @router.get(
        "/hooks/{hook_type:hook_type}/{hook_id}/requests",
        operation_id="list_hook_requests_by_hook_type",
        responses={200: page_answer("A page of them", examples.REQUEST_RELATION), **failures(404, 422)},
    )
    async def list_hook_requests(
        hook_type: HookType,
        hook_id: HookId,
        request: Request,
        response: Response,
        page: PageNumber = 1,
        per_page: PerPage = USUAL_PER_PAGE,
    ) -> list[DevopnessRequestRelation]:
        """What the hook has sent, the newest first. Of incoming hooks only the action that a request started is
        kept, not the request: their list is empty."""
        pages = Page(page, per_page, f"{shapes.base_of(request)}{request.url.path}")
        if hook_type is HookType.INCOMING:
            await editor.of(request).incoming_hook(hook_id)
            response.headers["link"] = pages.link(0)
            return []
        await editor.of(request).hook(hook_id)
        total, sent = await store.sent_by(hook_id, pages.offset, pages.size)
        response.headers["link"] = pages.link(total)
        return [models.request_relation(each) for each in sent]

    @router.get(
        "/hook-requests/{hook_request_id}",
        operation_id="get_hook_request",
        responses={200: json_answer("The request and its answer", examples.REQUEST), **failures(404, 422)},
    )
    async def get_hook_request(hook_request_id: RequestId, request: Request) -> DevopnessRequest:
        """One attempt, its secrets shown by their names. Under `hookengine` stands what Devopness cannot say: why
        there was no answer, and answers that are no JSON object."""
        place = models.sent_id(hook_request_id)
        sent = None if place is None else await store.sent(*place)
        if sent is None:
            raise NotFound("hook request", hook_request_id)
        mine = editor.of(request)
        hook = next((hook for hook in await mine.hooks() if hook.id == sent.hook_id), None)
        if hook is None and mine.caller.is_bound:
            raise NotFound("hook request", hook_request_id)
        relations = [] if hook is None else await shapes.relations(request, [hook])
        return models.request_out(sent, relations[0] if relations else None)

    return router
