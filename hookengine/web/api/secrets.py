"""/api/secrets: values go in and never come out again."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hookengine.domain.clock import as_text
from hookengine.domain.secret import EVERYONES, StoredSecret, of_hook, of_incoming, of_pipeline
from hookengine.domain.views import ListOf
from hookengine.engine.secret_desk import SecretDesk
from hookengine.errors import InvalidDefinition
from hookengine.web.api import views
from hookengine.web.api.answers import body_example, failures, json_answer
from hookengine.web.api.editor import Editor

_BOUND: Final = (
    "Forbidden: this secret is everyone's, and this token is bound to a team or a pipeline; name a `pipeline` or a "
    "`hook` in the query."
)
_ASK: Final[dict[str, Any]] = {"value": "xoxb-9f1c3e2d", "hosts": ["chat.example.com"]}
_SECRET: Final[dict[str, Any]] = {
    "name": "chat",
    "pipeline": 1,
    "hook": None,
    "incoming_hook": None,
    "hosts": ["chat.example.com"],
    "updated_at": "2026-11-22T10:15:00.250Z",
}

Name = Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", examples=["chat"])]
OfPipeline = Annotated[
    int | None, Query(ge=1, le=2**53, description="The pipeline whose own it is, by its id")
]
OfHook = Annotated[
    str | None, Query(min_length=1, max_length=64, description="The outgoing hook whose own it is, by its id")
]


class NewValue(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    value: Annotated[str, Field(min_length=1, examples=["xoxb-9f1c3e2d"])]
    """Blanks around it do not count."""
    hosts: Annotated[list[str] | None, Field(max_length=100, examples=[["chat.example.com"]])] = None
    """Where it may go. Left out: a hook's own goes where the hook goes, any other nowhere: it is for signing."""


def secrets_router(desk: SecretDesk, editor: Editor) -> APIRouter:
    router = APIRouter(prefix="/api/secrets", tags=["secrets"])

    @router.put(
        "/{name}",
        operation_id="set_secret",
        openapi_extra=body_example(_ASK),
        responses={200: json_answer("It is set", _SECRET), **failures(403, 404, 413, 422)},
    )
    async def set_secret(
        name: Name, new: NewValue, request: Request, pipeline: OfPipeline = None, hook: OfHook = None
    ) -> views.Secret:
        """Set what `secrets.NAME` is in templates: for everyone, or for one pipeline or hook. A hook's own counts
        before its pipeline's, and that before everyone's. Requests get the new value from now on."""
        owner = await _owner(editor.of(request), pipeline, hook)
        return _shown(await desk.set(name, new.value, hosts=new.hosts, owner=owner))

    @router.get(
        "",
        operation_id="list_secrets",
        responses={200: json_answer("All of them", {"items": [_SECRET], "next": None}), **failures()},
    )
    async def list_secrets(request: Request) -> ListOf[views.Secret]:
        """Their names, whose they are (everyone's are nobody's own), and where they may go; no values. Those that the
        configuration file reads from elsewhere are not among them."""
        mine, secrets = editor.of(request), await desk.list()
        owners = await _owners(mine) if mine.caller.is_bound else {secret.owner for secret in secrets}
        return {"items": [_shown(secret) for secret in secrets if secret.owner in owners], "next": None}

    @router.delete(
        "/{name}",
        operation_id="delete_secret",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(403, 404, 422)},
    )
    async def delete_secret(
        name: Name, request: Request, pipeline: OfPipeline = None, hook: OfHook = None
    ) -> Response:
        """Requests that need it wait until it is set again, or give up in the end."""
        await desk.delete(name, owner=await _owner(editor.of(request), pipeline, hook))
        return Response(status_code=204)

    return router


async def _owner(editor: Editor, pipeline_id: int | None, hook_id: str | None) -> str:
    """Raises InvalidDefinition, NotFound for one that the caller does not get to see, and HTTPException."""
    if pipeline_id is not None and hook_id is not None:
        raise InvalidDefinition({"hook": ["Name a pipeline or a hook, not both."]})
    if pipeline_id is not None:
        return of_pipeline((await editor.pipeline(pipeline_id)).id)
    if hook_id is not None:
        return of_hook((await editor.hook(hook_id)).id)
    if editor.caller.is_bound:
        raise HTTPException(403, _BOUND)
    return EVERYONES


async def _owners(editor: Editor) -> set[str]:
    """All that the caller gets to see."""
    return {
        *(of_pipeline(pipeline.id) for pipeline in await editor.pipelines()),
        *(of_hook(hook.id) for hook in await editor.hooks()),
        *(of_incoming(hook.id) for hook in await editor.incoming_hooks()),
    }


def _shown(secret: StoredSecret) -> views.Secret:
    kind, _, identity = secret.owner.partition(":")
    return {
        "name": secret.name,
        "pipeline": int(identity) if kind == "pipeline" else None,
        "hook": identity if kind == "hook" else None,
        "incoming_hook": identity if kind == "incoming" else None,
        "hosts": list(secret.hosts),
        "updated_at": as_text(secret.updated_at),
    }
