"""POST /api/apply and GET /api/export: pipelines and hooks as files."""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hookengine.errors import ConfigError
from hookengine.manifest.applying import File, Order
from hookengine.manifest.telling import AppliedPlan
from hookengine.web.access import CALLER
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import body_example, failures, json_answer
from hookengine.web.errors import error_response

APPLY: Final = "/api/apply"
EXPORT: Final = "/api/export"
_EXPORTED: Final[dict[str, Any]] = {
    "description": "A file",
    "content": {"application/yaml": {"schema": {"type": ["object", "string"]}, "example": examples.EXPORTED}},
}


class YamlResponse(Response):
    media_type = "application/yaml"


class FileOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1, max_length=1000, examples=["hooks.yaml"])]
    """What mistakes in it are told under."""
    text: Annotated[str, Field(examples=["pipelines:\n  - {id: 1, name: shop-deploy}\n"])]
    """YAML."""


class ApplyOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    files: list[FileOrder]
    """They count as one."""
    selector: Annotated[str, Field(max_length=1000, examples=["managed-by=team-a"])] = ""
    """Whose all of this is from now on, and what a prune may delete."""
    prune: bool = False
    """Delete what files manage, the selector covers and these files do not name."""
    dry_run: bool = False
    """Change nothing, and answer the same plan."""

    def order(self) -> Order:
        return Order(
            files=tuple(File(name=file.name, text=file.text) for file in self.files),
            selector=self.selector,
            prune=self.prune,
            dry_run=self.dry_run,
        )


class Applies(Protocol):
    async def apply(self, order: Order) -> AppliedPlan: ...

    async def export(self) -> str: ...


def applying_router(applier: Applies) -> APIRouter:
    router = APIRouter(tags=["files"])

    @router.post(
        APPLY,
        operation_id="apply_files",
        openapi_extra=body_example(examples.APPLY),
        responses={
            200: json_answer("What was done", examples.APPLIED, AppliedPlan),
            **failures(403, 413, 422),
        },
    )
    async def apply_files(wanted: ApplyOrder, request: Request) -> Response:
        """Make what is defined what these files say, in one transaction; the answer is what was done. 422 names each
        mistake by its file, line and column."""
        if _is_bound(request):
            return error_response(403, _BOUND)
        try:
            return JSONResponse(await applier.apply(wanted.order()))
        except ConfigError as error:
            return _wrong(error)

    @router.get(
        EXPORT,
        operation_id="export_files",
        response_class=YamlResponse,
        responses={200: _EXPORTED, **failures(403, 422)},
    )
    async def export_files(request: Request) -> Response:
        """All pipelines and hooks as YAML; applied again, it changes nothing."""
        if _is_bound(request):
            return error_response(403, _BOUND)
        try:
            return YamlResponse(await applier.export())
        except ConfigError as error:
            return _wrong(error)

    return router


_BOUND = (
    "Forbidden: files say what is defined for everybody, and this token is bound to a team or a pipeline."
)


def _is_bound(request: Request) -> bool:
    return bool(request.scope[CALLER].is_bound)


def _wrong(error: ConfigError) -> Response:
    """Under its place each mistake, in the order of the files."""
    errors: dict[str, list[str]] = {}
    for problem in error.problems:
        said = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        errors.setdefault(problem.place or "files", []).append(said)
    return error_response(422, "The files are not right; nothing was changed.", errors)
