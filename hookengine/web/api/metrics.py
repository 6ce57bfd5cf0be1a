"""GET /metrics: the engine's figures for Prometheus."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/metrics"


class Tells(Protocol):
    async def text(self, accept: str) -> tuple[bytes, str]: ...


def metrics_route(exposition: Tells) -> Route:
    async def metrics(request: Request) -> Response:
        """In the text format, or as OpenMetrics if that is asked for."""
        text, content_type = await exposition.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return Route(PATH, metrics, methods=["GET"], name="metrics")
