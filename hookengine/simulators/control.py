"""Routes under /_simulator/ for a person with curl; what goes through them is not recorded.

GET    /_simulator/received   every request so far, secrets masked
GET    /_simulator/shown      what the host shows
POST   /_simulator/faults     {"fail": 503, "times": 2, "headers": {"Retry-After": "1"}, "body": ...}
                              {"delay": 2.5}     seconds
                              {"drop": "before"} or {"drop": "after"} the work
                              each with "times", and "where": {"state": "success"} to choose by body
DELETE /_simulator/faults     forget the faults still planned
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hookengine.simulators.faults import Choice, Drop, Fail, Faults, Hold
from hookengine.simulators.records import Place, Received, Shown
from hookengine.simulators.shapes import stamp


class Host(Protocol):
    """What is controlled."""

    faults: Faults
    tokens: Collection[str]

    @property
    def received(self) -> list[Received]: ...

    def contexts(self) -> Mapping[Place, Shown]: ...


MASK = "********"
SECRET_HEADERS = frozenset({"authorization", "private-token"})
SHORTEST_SECRET = 6
"""Shorter tokens, which only tests have, are masked in headers but not in queries and bodies."""


def routes(host: Host) -> list[Route]:
    async def received(_request: Request) -> Response:
        return JSONResponse([_as_json(request, host.tokens) for request in host.received])

    async def shown(_request: Request) -> Response:
        return JSONResponse(
            [
                {
                    "repository": place.repository,
                    "sha": place.sha,
                    "context": place.context,
                    "state": entry.state,
                    "description": entry.description,
                    "url": entry.url,
                    "history": list(entry.history),
                }
                for place, entry in host.contexts().items()
            ]
        )

    async def plan(request: Request) -> Response:
        try:
            wanted = await request.json()
            fault = _fault(wanted)
            host.faults.plan(fault, times=_times(wanted), where=_choice(wanted))
        except (ValueError, TypeError) as error:
            return JSONResponse({"message": f"not a fault: {error}"}, 422)
        return JSONResponse({"planned": type(fault).__name__.lower()}, 201)

    async def forget(_request: Request) -> Response:
        host.faults.clear()
        return Response(status_code=204)

    return [
        Route("/_simulator/received", received, methods=["GET"]),
        Route("/_simulator/shown", shown, methods=["GET"]),
        Route("/_simulator/faults", plan, methods=["POST"]),
        Route("/_simulator/faults", forget, methods=["DELETE"]),
    ]


def _as_json(received: Received, tokens: Collection[str]) -> dict[str, object]:
    def masked(text: str) -> str:
        for token in tokens:
            text = text.replace(token, MASK) if len(token) >= SHORTEST_SECRET else text
        return text

    headers = {name: MASK if name in SECRET_HEADERS else value for name, value in received.headers.items()}
    return {
        "number": received.number,
        "at": stamp(received.at, timespec="milliseconds"),
        "method": received.method,
        "path": received.path,
        "query": masked(received.query),
        "headers": headers,
        "content": masked(received.content.decode("utf-8", "replace")),
        "status": received.status,
        "dropped": received.dropped,
    }


def _fault(wanted: Any) -> Fail | Hold | Drop:
    match wanted:
        case {"fail": int(status)} if 200 <= status <= 599:
            headers = {str(name): str(value) for name, value in dict(wanted.get("headers", {})).items()}
            return Fail(status=status, headers=headers, body=wanted.get("body"))
        case {"delay": int() | float() as seconds} if seconds >= 0:
            return Hold(gate=float(seconds))
        case {"drop": "before" | "after" as moment}:
            return Drop(applied=moment == "after")
    raise ValueError('say {"fail": 503}, {"delay": 2.5}, {"drop": "before"} or {"drop": "after"}')


def _times(wanted: Mapping[str, Any]) -> int:
    times = wanted.get("times", 1)
    if not isinstance(times, int):
        raise TypeError("times is a number of requests")
    return times


def _choice(wanted: Mapping[str, Any]) -> Choice | None:
    where = wanted.get("where")
    if where is None:
        return None
    if not isinstance(where, dict):
        raise TypeError("where is an object of body fields")
    return lambda received: all(received.body.get(name) == value for name, value in where.items())
