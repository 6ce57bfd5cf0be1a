"""Serving an ASGI application on a socket. Signals belong to whoever serves, not to the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from hookengine.errors import ConfigError, Problem

GRACE = 5  # seconds that requests under way may take when the server stops


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise them again, and end the process, before the engine had closed."""
        yield


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
            web, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    try:
        yield
    finally:
        server.should_exit = True
        await running


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
