"""Who may come in, and with how much. One middleware before all routes, plain ones included."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asked

from hookengine.domain.token import Scope, Token
from hookengine.web.errors import error_response
from hookengine.web.limits import Bounds, Limiter
from hookengine.web.scopes import scope_of

SLOWEST_BODY = 20  # seconds until the whole body of a request must have arrived
_TRIGGER = re.compile(r"/hooks/[^/]+/trigger")
"""For POST only: with other methods the same path is that of an outgoing hook whose id is `trigger`."""

OPEN_PATHS = ("/healthz", "/readyz")


CALLER = "hookengine.caller"
"""Under this name the token of whoever calls stands in the ASGI scope."""


class Callers(Protocol):
    def caller(self, authorization: str) -> Token | None: ...


class AccessMiddleware:
    """401 without a known bearer token except at `open_paths`, 403 for one of another scope, 413 for a body that is
    too large, 429 for too many requests or wrong tokens. Of the open paths, `/some/path/*` stands for exactly one
    more step. Bodies that may be larger than others come in one at a time.

    Events are let in however many there are: what is not told now would have to be told later.

    Incoming hooks have no token: their URL, and their signature if they ask for one, is what lets in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: Callers,
        bounds: Bounds,
        open_paths: Collection[str] = OPEN_PATHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._callers = callers
        self._bounds = bounds
        self._limiter = Limiter(bounds, clock)
        self._one_at_a_time = {path: asyncio.Lock() for path in bounds.larger}
        self._open_paths = open_paths

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal = self._refusal(scope, headers.get(b"authorization", b"").decode("latin-1"))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        declared, turns = headers.get(b"content-length", b""), self._one_at_a_time.get(scope["path"])
        if turns is None:
            await self._let_in(scope, declared, receive, send)
            return
        async with turns:
            await self._let_in(scope, declared, receive, send)

    async def _let_in(self, scope: Asked, declared: bytes, receive: Receive, send: Send) -> None:
        largest, setting = self._bounds.body_at(scope["path"])
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                body = await _body(declared, largest, receive)
        except ClientDisconnect:
            return  # nobody waits for an answer
        except TimeoutError:
            slow = error_response(
                408, f"The body did not arrive within {SLOWEST_BODY} s.", None, {"connection": "close"}
            )
            await slow(scope, receive, send)
            return
        if body is None:
            message = f"The body may have {largest} bytes at most; {setting} says so."
            await error_response(413, message)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _refusal(self, scope: Asked, authorization: str) -> Response | None:
        if is_open(scope["method"], scope["path"], self._open_paths):
            return None
        caller = self._callers.caller(authorization)
        address = scope["client"][0] if scope.get("client") else ""
        if (wait := self._limiter.entry(address, caller)) > 0:
            return _too_many(f"Too many wrong tokens came from {address or 'here'}.", wait)
        if caller is None:
            return error_response(
                401,
                "Unauthenticated: send `Authorization: Bearer TOKEN` with one of the engine's tokens.",
                headers={"www-authenticate": "Bearer"},
            )
        needed = scope_of(scope["method"], scope["path"])
        if needed is not None and not caller.allows(needed):
            return error_response(403, f"Forbidden: this needs a token with the scope {needed}.")
        if needed is not Scope.EMIT and (wait := self._limiter.request(caller)) > 0:
            return _too_many(f"A token may make {self._bounds.requests_per_second} requests a second.", wait)
        scope[CALLER] = caller
        return None


def _too_many(message: str, wait: int) -> Response:
    return error_response(429, message, None, {"retry-after": str(wait)})


async def _body(declared: bytes, largest: int, receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than allowed, by its own word or in fact."""
    if declared.isdigit() and int(declared) > largest:
        return None
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > largest:
            return None
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def is_open(method: str, path: str, open_paths: Collection[str]) -> bool:
    """Whether it needs no token."""
    if method == "POST" and _TRIGGER.fullmatch(path):
        return True
    parent, _, step = path.rpartition("/")
    if step and f"{parent}/*" in open_paths:
        return True
    return path in open_paths


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
