"""The hooks of a pipeline, as Devopness has them: its paths, its bodies, its answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from hookengine.domain.definition import Kind
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook
from hookengine.errors import InvalidDefinition
from hookengine.web.api import devopness_examples as examples
from hookengine.web.api import devopness_models as models
from hookengine.web.api.answers import Force, failures, json_answer, json_body, page_answer
from hookengine.web.api.bodies import object_in
from hookengine.web.api.devopness_views import DevopnessHook, DevopnessHookRelation
from hookengine.web.api.editor import Editor
from hookengine.web.api.paging import USUAL_PER_PAGE, Page, PageNumber, PerPage

AnyHook = Hook | IncomingHook
PipelineId = Annotated[int, Path(ge=1, le=2**53, examples=[1])]
HookId = Annotated[str, Path(min_length=1, max_length=64, examples=[examples.HOOK_ID])]


class HookType(StrEnum):
    INCOMING = "incoming"
    OUTGOING = "outgoing"


class _HookTypeConvertor(Convertor[str]):
    """So that another word in its place is no such path at all."""

    regex = "|".join(HookType)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("hook_type", _HookTypeConvertor())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """How hooks look to Devopness's clients. `base_of` is where this API stands for whoever asks."""

    editor: Editor
    public_url: str

    def base_of(self, request: Request) -> str:
        return self.public_url or str(request.base_url).rstrip("/")

    async def whole(self, request: Request, hook: AnyHook, secret: str | None = None) -> DevopnessHook:
        (relation,) = await self.relations(request, [hook])
        return models.with_secret(relation, hook, secret)

    async def relations(self, request: Request, hooks: Sequence[AnyHook]) -> list[DevopnessHookRelation]:
        """One that was deleted meanwhile is left out."""
        desk = self.editor.desk
        catalogue = await desk.newest()
        notes = {
            kind: await desk.notes(kind, [hook.id for hook in hooks if Kind.of(hook) is kind])
            for kind in {Kind.of(hook) for hook in hooks}
        }
        shaped = []
        for hook in hooks:
            note = notes[Kind.of(hook)].get(hook.id)
            pipeline = None if hook.pipeline_id is None else catalogue.find_pipeline(hook.pipeline_id)
            if note is None:
                continue
            if isinstance(hook, Hook):
                shaped.append(models.hook_out(hook, pipeline, note))
            else:
                url = f"{self.base_of(request)}/hooks/{hook.id}/trigger"
                shaped.append(models.incoming_out(hook, pipeline, note, url))
        return shaped


def devopness_router(editor: Editor, public_url: str) -> APIRouter:
    router = APIRouter(tags=["devopness"])
    shapes = Shapes(editor=editor, public_url=public_url)
    _add_creating(router, editor, shapes)
    _add_lists(router, editor, shapes)
    _add_one(router, editor, shapes)
    return router


def _add_creating(router: APIRouter, editor: Editor, shapes: Shapes) -> None:
    @router.post(
        "/pipelines/{pipeline_id}/hooks/{hook_type:hook_type}",
        operation_id="add_pipeline_hook",
        status_code=201,
        responses={
            201: json_answer("The hook; its secret is told this once", examples.HOOK),
            **failures(404, 413, 422),
        },
        openapi_extra=json_body(examples.HOOK_SCHEMA, examples.CREATE),
    )
    async def add_pipeline_hook(
        pipeline_id: PipelineId, hook_type: HookType, request: Request
    ) -> DevopnessHook:
        """Create an outgoing or an incoming hook of a pipeline."""
        mine, document = editor.of(request), await object_in(request)
        hook: AnyHook
        secret = None
        if hook_type is HookType.OUTGOING:
            hook = await mine.create_hook(models.outgoing_in(document), pipeline_id)
        else:
            ours, signed = models.incoming_in(document)
            if signed is None:
                raise InvalidDefinition({"requires_secret": ["Is required for incoming hooks."]})
            with models.told_as_devopness():
                hook, secret = await mine.create_incoming_hook(ours, pipeline_id, signed=signed)
        return await shapes.whole(request, hook, secret)


def _add_lists(router: APIRouter, editor: Editor, shapes: Shapes) -> None:
    async def listed(
        request: Request, response: Response, hooks: Iterable[AnyHook], number: int, size: int
    ) -> list[DevopnessHookRelation]:
        page = Page(number, size, f"{shapes.base_of(request)}{request.url.path}")
        found = sorted(hooks, key=lambda hook: hook.id)
        response.headers["link"] = page.link(len(found))
        return await shapes.relations(request, page.of(found))

    @router.get(
        "/pipelines/{pipeline_id}/hooks",
        operation_id="list_pipeline_hooks",
        responses={200: page_answer("A page of them", examples.RELATION), **failures(404, 422)},
    )
    async def list_pipeline_hooks(
        pipeline_id: PipelineId,
        request: Request,
        response: Response,
        page: PageNumber = 1,
        per_page: PerPage = USUAL_PER_PAGE,
    ) -> list[DevopnessHookRelation]:
        """The pipeline's own hooks, outgoing and incoming. The `Link` header leads to the other pages."""
        mine = editor.of(request)
        await mine.pipeline(pipeline_id)
        hooks = await _of_pipelines(mine, {pipeline_id})
        return await listed(request, response, hooks, page, per_page)

    @router.get(
        "/applications/{application_id}/hooks",
        operation_id="list_application_hooks",
        responses={200: page_answer("A page of them", examples.RELATION), **failures(422)},
    )
    async def list_application_hooks(
        application_id: PipelineId,
        request: Request,
        response: Response,
        page: PageNumber = 1,
        per_page: PerPage = USUAL_PER_PAGE,
    ) -> list[DevopnessHookRelation]:
        """The hooks of all pipelines whose context says `application.id`."""
        mine = editor.of(request)
        wanted = {
            pipeline.id
            for pipeline in await mine.pipelines()
            if models.application_of(pipeline) == application_id
        }
        return await listed(request, response, await _of_pipelines(mine, wanted), page, per_page)


def _add_one(router: APIRouter, editor: Editor, shapes: Shapes) -> None:
    path = "/hooks/{hook_type:hook_type}/{hook_id}"

    @router.get(
        path,
        operation_id="get_hook",
        responses={200: json_answer("The hook", examples.HOOK), **failures(404, 422)},
    )
    async def get_hook(hook_type: HookType, hook_id: HookId, request: Request) -> DevopnessHook:
        """One hook, its secret masked."""
        mine = editor.of(request)
        hook: AnyHook
        if hook_type is HookType.OUTGOING:
            hook = await mine.hook(hook_id)
        else:
            hook = await mine.incoming_hook(hook_id)
        return await shapes.whole(request, hook)

    @router.put(
        path,
        operation_id="update_hook",
        status_code=204,
        responses={204: {"description": "It is changed"}, **failures(404, 409, 413, 422)},
        openapi_extra=json_body(examples.HOOK_SCHEMA, examples.UPDATE),
    )
    async def update_hook(
        hook_type: HookType, hook_id: HookId, request: Request, force: Force = False
    ) -> Response:
        """Change what is said; all else stays as it is."""
        mine, document = editor.of(request), await object_in(request)
        if hook_type is HookType.OUTGOING:
            await mine.change_hook(hook_id, models.outgoing_in(document), force=force)
        else:
            ours, signed = models.incoming_in(document)
            if signed and (await mine.incoming_hook(hook_id)).secret is None:
                advice = f"Ask for a secret with POST /api/incoming-hooks/{hook_id}/secret, which answers it."
                raise InvalidDefinition({"requires_secret": [advice]})
            with models.told_as_devopness():
                await mine.change_incoming_hook(hook_id, ours, unsigned=signed is False, force=force)
        return Response(status_code=204)

    @router.delete(
        path,
        operation_id="delete_hook",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(404, 409, 422)},
    )
    async def delete_hook(
        hook_type: HookType, hook_id: HookId, request: Request, force: Force = False
    ) -> Response:
        """Delete it; what it still owes is cancelled."""
        if hook_type is HookType.OUTGOING:
            await editor.of(request).delete_hook(hook_id, force=force)
        else:
            await editor.of(request).delete_incoming_hook(hook_id, force=force)
        return Response(status_code=204)


async def _of_pipelines(editor: Editor, wanted: set[int]) -> list[AnyHook]:
    hooks: list[AnyHook] = [*await editor.hooks(), *await editor.incoming_hooks()]
    return [hook for hook in hooks if hook.pipeline_id in wanted]
