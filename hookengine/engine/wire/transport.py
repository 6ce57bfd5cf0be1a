"""The same connections for whoever wants an `httpx.AsyncClient`: what is not on the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from types import TracebackType
from typing import cast

import httpcore
import httpx

from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken, Late
from hookengine.engine.wire.message import UnfitError, message_of
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.tls import usual
from hookengine.guard.hostname import Refused
from hookengine.guard.url import Target, check_url

LARGEST_ANSWER = 1024 * 1024  # bytes; more is an error, as it would come in part only
_NOT_SENT = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})


class GuardedTransport(httpx.AsyncHTTPTransport):
    """The only transport an `httpx.AsyncClient` of the engine is given: `AsyncClient(transport=..., trust_env=False)`.

    A request and its answer take `deadline` seconds at most, whatever the client's own timeouts are. A refusal
    of the fence is a ConnectError caused by Refused. Never pass `proxy=` or `mounts=` beside it, they go round it.
    The pool is the caller's to close.

    It replaces httpx's pool and not `handle_async_request`, which is what pytest-httpx takes over.
    """

    def __init__(self, pool: Pool, *, deadline: float = 30.0) -> None:
        super().__init__(verify=usual(), trust_env=False, http1=True, http2=False, retries=0)
        self._pool = _AsHttpcorePool(pool, deadline)  # type: ignore[assignment]  # it does what httpx asks for


class _AsHttpcorePool:
    """What httpx asks of httpcore's pool."""

    def __init__(self, pool: Pool, deadline: float) -> None:
        self._pool = pool
        self._deadline = deadline

    async def __aenter__(self) -> _AsHttpcorePool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """The pool has other users."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        stream = cast("AsyncIterable[bytes]", request.stream)  # an asynchronous client makes no other
        body = b"".join([chunk async for chunk in stream])
        loop = asyncio.get_running_loop()
        try:
            target = check_url(_url_of(request.url), self._pool.policy)
            exchange = self._exchange(loop, target, request, body)
        except (Refused, UnfitError, ValueError) as error:
            raise _as_httpcore(error, written=False) from error
        try:
            await self._pool.run(exchange, target)
        except (Refused, Broken, Late) as error:
            raise _as_httpcore(error, written=exchange.written) from error
        if exchange.cut:
            raise httpcore.ReadError(f"the answer broke off, or has more than {LARGEST_ANSWER} bytes")
        return httpcore.Response(
            exchange.status,
            headers=exchange.headers,
            content=bytes(exchange.body),
            extensions={"http_version": b"HTTP/1.1"},
        )

    def _exchange(
        self, loop: asyncio.AbstractEventLoop, target: Target, request: httpcore.Request, body: bytes
    ) -> Exchange:
        headers = [
            (name.decode("ascii"), value.decode("ascii"))
            for name, value in request.headers
            if name.lower() not in _NOT_SENT
        ]
        method = request.method.decode("ascii")
        return Exchange(
            loop=loop,
            message=message_of(method, target, headers, body),
            deadline=loop.time() + self._deadline,
            excerpt=LARGEST_ANSWER,
            connect_timeout=request.extensions.get("timeout", {}).get("connect") or self._deadline,
            has_body=method != "HEAD",
        )


def refusal_in(error: BaseException | None) -> Refused | None:
    """The fence's refusal behind an exception of httpx, if that is what it was."""
    while error is not None and not isinstance(error, Refused):
        error = error.__cause__
    return error


def _url_of(url: httpcore.URL) -> str:
    host = url.host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme.decode('ascii')}://{f'[{host}]' if ':' in host else host}{port}{url.target.decode('ascii')}"


def _as_httpcore(error: Exception, *, written: bool) -> Exception:
    match error:
        case Refused(reason_code=code):
            return httpcore.ConnectError(f"refused ({code}): {error}")
        case Late():
            return httpcore.ReadTimeout(str(error)) if written else httpcore.ConnectTimeout(str(error))
        case Broken(code="garbage" | "head_too_large" | "switched_protocols"):
            return httpcore.RemoteProtocolError(str(error))
        case Broken():
            return httpcore.ReadError(str(error)) if written else httpcore.ConnectError(str(error))
        case _:
            return httpcore.LocalProtocolError("the request cannot be sent")
