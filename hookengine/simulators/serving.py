"""Simulators on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import zip_longest

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hookengine.simulators.host import TRANSPORT, Host

GRACE_SECONDS = 5


class TransportInScope(HttpToolsProtocol):
    """Leaves the connection's transport in each request's state: hanging up needs it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][TRANSPORT] = self.transport


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever opened the simulators."""
        yield


@asynccontextmanager
async def serve(simulators: Sequence[Host], *, ports: Sequence[int] = ()) -> AsyncIterator[tuple[str, ...]]:
    """Runs each simulator on 127.0.0.1 and gives their base URLs in the same order.

    `ports` go to the simulators in order; 0 or none means any free port. On leaving, requests still held
    are hung up on, and every socket and task is gone.
    """
    if len(ports) > len(simulators):
        raise ValueError(f"{len(ports)} ports for {len(simulators)} simulators")
    with ExitStack() as sockets:
        listening = [sockets.enter_context(_listen(port or 0)) for _, port in zip_longest(simulators, ports)]
        servers = [_Server(_configuration(simulator)) for simulator in simulators]
        # The sockets listen already: whoever connects before a server runs waits in the backlog.
        running = [
            asyncio.create_task(server.serve(sockets=[opened]), name=f"simulator {simulator.name}")
            for simulator, server, opened in zip(simulators, servers, listening, strict=True)
        ]
        try:
            yield tuple(f"http://127.0.0.1:{opened.getsockname()[1]}" for opened in listening)
        finally:
            for simulator, server in zip(simulators, servers, strict=True):
                server.should_exit = True
                simulator.abandon()
            await asyncio.gather(*running)


def _listen(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it for given sockets
        opened.bind(("127.0.0.1", port))
        opened.listen(128)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _configuration(simulator: Host) -> uvicorn.Config:
    return uvicorn.Config(
        simulator.app,
        http=TransportInScope,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
