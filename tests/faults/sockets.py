"""Listening on a port in an event loop, and hanging up so that nothing lingers on either side."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Serves each connection in a task of its own, and resets it in the end if that did not close it. To be
    used inside a loop.

    asyncio's own server loses connections that come while it is closed.
    """

    def __init__(self, serve: Serve, limit: int = 64 * 1024) -> None:
        self.accepted = 0  # connections so far
        self._serve = serve
        self._limit = limit
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, port: int = 0) -> int:
        """The port. Does nothing if it is open already."""
        if self._socket is None:
            self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
            self._socket.setblocking(False)
            asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)
        found: int = self._socket.getsockname()[1]
        return found

    async def close(self) -> None:
        """Refuses new connections from now on, and resets those there are."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # who came has gone again
            accepted, _ = listening.accept()
            self.accepted += 1
            task = asyncio.get_running_loop().create_task(self._attend(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda done: _slam(accepted) if done.cancelled() else None)

    async def _attend(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted, limit=self._limit)
        try:
            await self._serve(reader, writer)
        finally:
            reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN, unless it is closed already; what was not yet sent is lost."""
    if not writer.is_closing():
        _linger_not(writer.get_extra_info("socket"))
        writer.transport.abort()


def _slam(sock: socket.socket) -> None:
    _linger_not(sock)
    sock.close()


def _linger_not(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
