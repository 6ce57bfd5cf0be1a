"""Who may come in, and with how much. One middleware before all routes, plain ones included."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Iterable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hookengine.web.errors import error_response

SLOWEST_BODY = 20  # seconds until the whole body of a request must have arrived
OPEN_PATHS = ("/healthz", "/readyz")


class Tokens:
    """Only digests are kept. No tokens at all: everybody may come in (`auth.enabled: false`)."""

    def __init__(self, tokens: Iterable[str] | None) -> None:
        self._digests = None if tokens is None else [_digest(token) for token in tokens]

    def admit(self, authorization: str) -> bool:
        if self._digests is None:
            return True
        scheme, _, token = authorization.partition(" ")
        given = _digest(token.strip())
        # All are compared, so that the time taken does not tell which one was close.
        matches = [hmac.compare_digest(given, known) for known in self._digests]
        return scheme.lower() == "bearer" and any(matches)


class AccessMiddleware:
    """401 without a known bearer token except at `open_paths`, 413 for a body above `largest_body` bytes. Of the
    open paths, `/some/path/*` stands for exactly one more step.

    Incoming hooks have no token: their URL, and their signature if they ask for one, is what lets in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: Tokens,
        largest_body: int,
        open_paths: Collection[str] = OPEN_PATHS,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._largest = largest_body
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not self._is_open(scope["path"]) and not self._tokens.admit(headers.get("authorization", "")):
            refusal = error_response(
                401,
                "Unauthenticated: send `Authorization: Bearer TOKEN` with one of the engine's tokens.",
                headers={"www-authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                body = await self._body(headers.get("content-length", ""), receive)
        except ClientDisconnect:
            return  # nobody waits for an answer
        except TimeoutError:
            slow = error_response(
                408, f"The body did not arrive within {SLOWEST_BODY} s.", None, {"connection": "close"}
            )
            await slow(scope, receive, send)
            return
        if body is None:
            await error_response(413, f"The body may have {self._largest} bytes at most.")(
                scope, receive, send
            )
            return
        await self._app(scope, _replayed(body, receive), send)

    def _is_open(self, path: str) -> bool:
        parent, _, step = path.rpartition("/")
        if step and f"{parent}/*" in self._open_paths:
            return True
        return path in self._open_paths or (path.startswith("/hooks/") and path.endswith("/trigger"))

    async def _body(self, declared: str, receive: Receive) -> bytes | None:
        """The whole body; None when it is larger than allowed, by its own word or in fact."""
        if declared.isdecimal() and int(declared) > self._largest:
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
            if size > self._largest:
                return None
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
