"""GET /metrics: the engine's figures for Prometheus."""

from __future__ import annotations

from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH: Final = "/metrics"
_CONTENT: Final[dict[str, Any]] = {
    "schema": {"type": "string"},
    "example": '# TYPE hookengine_events_total counter\nhookengine_events_total{result="accepted"} 41.0\n',
}
OPERATION: Final[dict[str, Any]] = {
    "tags": ["health"],
    "summary": "Metrics",
    "description": "The engine's figures for Prometheus, in its text format, or as OpenMetrics if that is asked for.",
    "operationId": "metrics",
    "responses": {
        "200": {
            "description": "The figures",
            "content": {"text/plain": _CONTENT, "application/openmetrics-text": _CONTENT},
        }
    },
}
"""For the OpenAPI document, which knows of no plain routes."""


class Tells(Protocol):
    async def text(self, accept: str) -> tuple[bytes, str]: ...


def metrics_route(exposition: Tells) -> Route:
    async def metrics(request: Request) -> Response:
        """In the text format, or as OpenMetrics if that is asked for."""
        text, content_type = await exposition.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return Route(PATH, metrics, methods=["GET"], name="metrics")
