"""GET /metrics: the engine's figures for Prometheus."""

from __future__ import annotations

from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookengine.web.access import CALLER
from hookengine.web.errors import error_response

PATH: Final = "/metrics"
_CONTENT: Final[dict[str, Any]] = {
    "schema": {"type": "string"},
    "example": '# TYPE hookengine_events_total counter\nhookengine_events_total{result="accepted"} 41.0\n',
}
OPERATION: Final[dict[str, Any]] = {
    "tags": ["health"],
    "summary": "Metrics",
    "description": "The engine's figures for Prometheus, in its text format, or as OpenMetrics if that is asked for."
    " They are of all pipelines, so a token that is bound to some is refused.",
    "operationId": "metrics",
    "responses": {
        "200": {
            "description": "The figures",
            "content": {"text/plain": _CONTENT, "application/openmetrics-text": _CONTENT},
        },
        "403": {},
    },
}
"""For the OpenAPI document, which knows of no plain routes."""


_BOUND: Final = (
    "Forbidden: the figures are of all pipelines, and this token is bound to a team or a pipeline."
)


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
