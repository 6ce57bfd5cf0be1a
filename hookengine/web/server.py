"""Serving an ASGI application on a socket. Signals belong to whoever serves, not to the server."""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hookengine.errors import ConfigError, Problem
from hookengine.web.errors import error_response

GRACE = 5  # seconds that requests under way may take when the server stops
LARGEST_HEAD = 64 * 1024  # bytes of a request's line and headers, and what arrives with the last of them
SLOWEST_HEAD = 20  # seconds until they must have arrived
LISTENED_EVERY = 0.5  # seconds between looks at the listener


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise them again, and end the process, before the engine had closed."""
        yield


class _Doorman(HttpToolsProtocol):
    """Refuses what never becomes a request: a head without an end, one that does not come, and what is not HTTP."""

    _in_head = True
    _head = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head += len(data) if self._in_head else 0
        if self._head > LARGEST_HEAD:
            self._refuse(431, f"Line and headers of a request may have {LARGEST_HEAD} bytes at most.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_is_over()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _expect_head(self) -> None:
        self._head_is_over()
        self._in_head = True
        said = f"The headers did not arrive within {SLOWEST_HEAD} s."
        self._late = self.loop.call_later(SLOWEST_HEAD, self._refuse, 408, said)

    def _head_is_over(self) -> None:
        self._in_head, self._head = False, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, message: str) -> None:
        self._head_is_over()
        if self.transport.is_closing():
            return
        answer = error_response(status, message, None, {"connection": "close"})
        head = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
        phrase = http.HTTPStatus(status).phrase.encode()
        self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, phrase, head, answer.body))
        self.transport.close()


def listening(host: str, port: int) -> socket.socket:
    """Connections inherit TCP_NODELAY: asyncio sets it on sockets it made itself only, and without it an
    answer's body waits up to 40 ms for the receiver to acknowledge the head. Raises ConfigError.
    """
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        hint = "stop what listens there, or choose another server.port"
        problem = Problem(
            message=f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}", hint=hint
        )
        raise ConfigError([problem]) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@asynccontextmanager
async def answering(web: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Requests are answered until the context is left."""
    server = _Server(
        uvicorn.Config(
            web,
            http=_Doorman,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    with listener.dup() as spare:
        keeping = asyncio.create_task(_keep_listening(server, listener, spare), name="web listening")
        try:
            yield
        finally:
            keeping.cancel()
            server.should_exit = True
            await running


async def _keep_listening(server: _Server, listener: socket.socket, spare: socket.socket) -> None:
    """uvloop gives its listener up for good when the process has no file left for a connection. Whoever connects
    meanwhile waits at the spare one."""
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        return _Doorman(server.config, server.server_state, server.lifespan.state)

    while True:
        await asyncio.sleep(LISTENED_EVERY)
        if listener.fileno() < 0 and not server.should_exit:
            try:
                listener = spare.dup()
                server.servers.append(
                    await loop.create_server(protocol, sock=listener, backlog=server.config.backlog)
                )
            except OSError:  # there is none left yet
                listener.close()


async def told_to_stop() -> None:
    """Returns at the first SIGINT or SIGTERM; a second one then ends the process as it would any other."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
