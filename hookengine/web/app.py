"""The ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from fastapi import Depends, FastAPI
from starlette.responses import JSONResponse, Response

from hookengine.engine.catalogue import Catalogue
from hookengine.engine.intake import Intake
from hookengine.engine.token_desk import TokenDesk
from hookengine.engine.triggers import Triggers
from hookengine.sources import Hearing
from hookengine.web.access import OPEN_PATHS, AccessMiddleware, Callers
from hookengine.web.api.answers import failures, json_answer
from hookengine.web.api.applying import APPLY, EXPORT, Applies, applying_router
from hookengine.web.api.defining import Defining
from hookengine.web.api.events import OPERATION as OF_EVENTS
from hookengine.web.api.events import PATH as EVENTS
from hookengine.web.api.events import events_route
from hookengine.web.api.metrics import OPERATION as OF_METRICS
from hookengine.web.api.metrics import PATH as METRICS
from hookengine.web.api.metrics import Tells, metrics_route
from hookengine.web.api.reading import Reading
from hookengine.web.api.sources import SOURCES, open_paths, sources_router
from hookengine.web.api.strictness import refuse_unknown_parameters
from hookengine.web.api.tokens import tokens_router
from hookengine.web.api.triggers import triggers_router
from hookengine.web.api.views import Alive
from hookengine.web.api.wing import Wing
from hookengine.web.errors import add_error_handlers, error_response
from hookengine.web.limits import Bounds
from hookengine.web.openapi import DescribedAPI


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the routes talk to. Without `api` there are health and figures only. `ready` raises when the engine
    cannot accept events now; `metrics_public`: the figures are for everybody."""

    api: bool = True
    intake: Intake
    triggers: Triggers
    reading: Reading
    defining: Defining
    ready: Callable[[], Awaitable[None]]
    metrics: Tells
    metrics_public: bool
    sources: Hearing
    callers: Callers
    tokens: TokenDesk
    catalogue: Catalogue
    applier: Applies
    bounds: Bounds
    version: str


def _wings(doors: Doors) -> Iterator[Wing]:
    yield Wing(("/hooks",), partial(triggers_router, doors.triggers), strict=False)
    yield Wing(SOURCES, partial(sources_router, doors.sources, doors.catalogue), strict=False)
    yield Wing(("/api/tokens",), partial(tokens_router, doors.tokens))
    yield Wing((APPLY, EXPORT), partial(applying_router, doors.applier))
    yield from doors.defining.wings()
    yield from doors.reading.wings()


def create_web(doors: Doors, *, within: str | None = None) -> FastAPI:
    """`within`: only the routes whose paths begin like this, for who asks nothing else: building all of them takes
    longer than most answers. The document tells of all."""
    app = DescribedAPI(
        title="hookengine", version=doors.version, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    public = (METRICS,) if doors.metrics_public else ()
    app.open_paths = (*OPEN_PATHS, *public, *open_paths(doors.sources))
    app.plain = {METRICS: {"get": OF_METRICS}, **({EVENTS: {"post": OF_EVENTS}} if doors.api else {})}
    app.router.routes.append(metrics_route(doors.metrics))
    if doors.api:
        app.router.routes.insert(0, events_route(doors.intake, doors.catalogue))  # the busiest is met first
        for wing in _wings(doors):
            if within in (None, app.openapi_url) or wing.leads_to(within):
                strict = [Depends(refuse_unknown_parameters)] if wing.strict else []
                app.include_router(wing.build(), dependencies=strict)

    @app.get(
        "/healthz",
        operation_id="health",
        tags=["health"],
        responses={200: json_answer("It does", {"status": "ok"})},
    )
    async def health() -> Alive:
        """The process answers."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        operation_id="readiness",
        tags=["health"],
        responses={200: json_answer("It does", {"status": "ready"}, Alive), **failures()},
    )
    async def readiness() -> Response:
        """The database answers too."""
        try:
            await doors.ready()
        except Exception:  # noqa: BLE001  whatever it is, the answer is: not ready
            return error_response(503, "The database does not answer.")
        return JSONResponse({"status": "ready"})

    add_error_handlers(app)
    app.add_middleware(
        AccessMiddleware,
        callers=doors.callers,
        bounds=doors.bounds,
        open_paths=app.open_paths,
    )
    return app
