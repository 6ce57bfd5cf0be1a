"""GET /metrics: the engine's figures for Prometheus."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookengine.web.access import CALLER
from hookengine.web.errors import error_response

PATH = "/metrics"

_BOUND = "Forbidden: the figures are of all pipelines, and this token is bound to a team or a pipeline."


class Tells(Protocol):
    async def text(self, accept: str) -> tuple[bytes, str]: ...


def metrics_route(exposition: Tells) -> Route:
    async def metrics(request: Request) -> Response:
        """In the text format, or as OpenMetrics if that is asked for."""
        caller = request.scope.get(CALLER)
        if caller is not None and caller.is_bound:
            return error_response(403, _BOUND)
        text, content_type = await exposition.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return Route(PATH, metrics, methods=["GET"], name="metrics")
