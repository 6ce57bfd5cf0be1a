"""Where other systems report what they did, each in its own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from hookengine.sources import ForeignRequest, Hearing, Registered, Taken
from hookengine.web.access import CALLER
from hookengine.web.api import source_examples, views
from hookengine.web.callers import Pipelines, caller_of, check_events

WEBHOOKS = "/api/sources"
ILERT = "/api/deployment-events"
SEI = "/v1/custom-cicd"
SOURCES = (WEBHOOKS, ILERT, SEI)

OF_ANY = "The settings, or the report itself, say which pipeline it is about. 200 when nothing comes of it."
OF_ONE = "The pipeline is named by id or name. 200 when nothing comes of it."

Hears = Callable[[ForeignRequest], Awaitable[Taken]]
Answers = Callable[[Request, str], Awaitable[Response]]


def sources_router(hearing: Hearing, known: Pipelines) -> APIRouter:
    """Of those that are on."""
    router = APIRouter(tags=["sources"])
    if "ilert" in hearing.setups:
        _add_ilert(router, hearing)
    if "sei" in hearing.setups:
        _add_sei(router, hearing, known)
    webhooks = (("github", "GitHub", hearing.github), ("gitlab", "GitLab", hearing.gitlab))
    for name, system, hear in webhooks:
        if name in hearing.setups:
            _add_webhook(router, name, f"A webhook of {system}", partial(_told_of, hear, known))
    if "cloudevents" in hearing.setups:
        answer = partial(_told_of, hearing.cloudevents, known)
        _add_webhook(router, "cloudevents", "CloudEvents with CDEvents in them", answer)
    return router


def open_paths(hearing: Hearing) -> tuple[str, ...]:
    """Those where the request itself shows who sent it, so that it needs no token."""
    webhooks = [
        name for name in ("github", "gitlab") if name in hearing.setups and hearing.setups[name].secret
    ]
    paths = [path for name in webhooks for path in (f"{WEBHOOKS}/{name}", f"{WEBHOOKS}/{name}/*")]
    return (*paths, ILERT) if "ilert" in hearing.setups else tuple(paths)


def _add_ilert(router: APIRouter, hearing: Hearing) -> None:
    @router.post(ILERT, operation_id="hear_ilert", status_code=202, **source_examples.ilert())
    async def deployment_event(request: Request) -> Response:
        """Something was deployed, in the shape of ilert's deployment events. The integration key lets in."""
        return told(await hearing.ilert(ForeignRequest(body=await request.body(), headers={})))


def _add_sei(router: APIRouter, hearing: Hearing, known: Pipelines) -> None:
    @router.post(SEI, operation_id="hear_sei", status_code=202, **source_examples.sei())
    async def run(request: Request) -> Response:
        """A run has finished, in the shape of Harness SEI's custom CI/CD.

        `{integration_id, name, type}` instead answers 200 with the `instance_guid` that its runs are to name.
        """
        taken = await hearing.sei(await _foreign(request, known))
        return JSONResponse(dict(taken.instance)) if isinstance(taken, Registered) else told(taken)


def _add_webhook(router: APIRouter, name: str, summary: str, answer: Answers) -> None:
    """With and without the pipeline in the address."""
    path, id_, told_of = f"{WEBHOOKS}/{name}", f"hear_{name}", source_examples.webhook(name)

    @router.post(path, operation_id=id_, status_code=202, summary=summary, description=OF_ANY, **told_of)
    async def of_any(request: Request) -> Response:
        return await answer(request, "")

    @router.post(
        f"{path}/{{pipeline}}",
        operation_id=f"{id_}_of_pipeline",
        status_code=202,
        summary=f"{summary} about one pipeline",
        description=OF_ONE,
        **told_of,
    )
    async def of_one(pipeline: str, request: Request) -> Response:
        return await answer(request, pipeline)


async def _told_of(hear: Hears, known: Pipelines, request: Request, pipeline: str) -> Response:
    return told(await hear(await _foreign(request, known, pipeline)))


async def _foreign(request: Request, known: Pipelines, pipeline: str = "") -> ForeignRequest:
    """What came in with a token may be about no other pipelines than the token is for."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    foreign = ForeignRequest(body=await request.body(), headers=headers, pipeline=pipeline)
    if CALLER not in request.scope:
        return foreign
    return replace(foreign, check=partial(check_events, caller_of(request), known=known))


def told(taken: Taken) -> Response:
    """What came of it, without a word about hooks: who may report need not know them."""
    ignored = list(taken.ignored)
    body: views.Taken
    if not taken.events:
        message = f"Nothing came of it: {'; '.join(ignored) or 'there was nothing in it'}."
        body = {"message": message, "events": [], "ignored": ignored}
        return JSONResponse(body)
    events = [_told(event) for event in taken.events]
    body = {"message": "Accepted.", "events": events, "ignored": ignored}
    return JSONResponse(body, 202)


def _told(event: Mapping[str, Any]) -> views.TakenEvent:
    return {"id": event["id"], "type": event["type"], "action": event["action"]}
