"""A TCP proxy between the engine and its database that does to connections what networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

T = TypeVar("T")

PATIENCE = 10.0  # seconds until an order to the proxy must have been obeyed
_CHUNK = 64 * 1024


@dataclass(eq=False, slots=True)
class _Pair:
    """Both ends of one connection."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    muted: bool = False  # what the server still says is read and thrown away


@dataclass(slots=True)
class _Snare:
    """Bytes from a client at which its connection is cut: behind them, or, if not `forward`, before them."""

    pattern: bytes
    forward: bool
    times: int


class Proxy:
    """Passes bytes between `127.0.0.1:port` and `target` until told otherwise, in a thread of its own. A context
    manager.

    `stall` holds all bytes of old and new connections back, as a network does that drops packets; they are
    passed on after `let_pass`. `cut` resets all connections and refuses new ones. `cut_after` lets the given
    bytes through to the server, and resets the client before the answer comes back: the server has done what
    the client will never know. `cut_before` resets it before the bytes get through.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.connections = 0  # ever made through it
        self.struck = threading.Event()  # a snare has cut a connection
        self._tasks: set[asyncio.Task[None]] = set()
        self._snare: _Snare | None = None
        self._listener: socket.socket | None = None
        self._flow = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        # Bound but never listening, it keeps the port ours while new connections are refused.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        self.let_pass()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._place.close()

    def let_pass(self) -> None:
        self._snare = None
        self._do(self._listen(self._flow.set))

    def stall(self) -> None:
        self._do(self._listen(self._flow.clear))

    def cut(self) -> None:
        self._do(self._cut())

    def cut_after(self, pattern: bytes, times: int = 1) -> None:
        """The next `times` connections on which a client sends these bytes."""
        self._set(_Snare(pattern, True, times))

    def cut_before(self, pattern: bytes, times: int = 1) -> None:
        self._set(_Snare(pattern, False, times))

    def _set(self, snare: _Snare) -> None:
        self.let_pass()
        self.struck.clear()
        self._snare = snare

    def _do(self, order: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(order, self._loop).result(PATIENCE)

    # In the proxy's thread

    async def _listen(self, change: Callable[[], None]) -> None:
        change()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # who came has gone again
            accepted, _ = listener.accept()
            self.connections += 1
            task = self._loop.create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: _slam(accepted))  # also if it never began

    async def _cut(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, accepted: socket.socket) -> None:
        with ExitStack() as resets:
            reader, client = await asyncio.open_connection(sock=accepted)
            resets.callback(_reset, client)
            await self._flow.wait()
            with suppress(OSError):  # the server is not there
                answers, server = await asyncio.open_connection(*self.target)
                resets.callback(_reset, server)
                pair = _Pair(client, server)
                await asyncio.gather(self._forth(reader, pair), self._back(answers, pair))

    async def _forth(self, source: asyncio.StreamReader, pair: _Pair) -> None:
        watch = _Watch()
        async for chunk in self._chunks(source, pair):
            snare = self._snare
            strikes = snare is not None and watch.sees(snare.pattern, chunk)
            if snare is None or not strikes or snare.forward:
                pair.server.write(chunk)
                await pair.server.drain()
            if snare is not None and strikes:
                self._strike(snare, pair)
        _say_end(pair.server)

    async def _back(self, source: asyncio.StreamReader, pair: _Pair) -> None:
        async for chunk in self._chunks(source, pair):
            if not pair.muted:
                pair.client.write(chunk)
                await pair.client.drain()
        _say_end(pair.client)

    async def _chunks(self, source: asyncio.StreamReader, pair: _Pair) -> AsyncIterator[bytes]:
        """Until the source ends; if it ends in a reset, so does the other side."""
        try:
            while chunk := await source.read(_CHUNK):
                await self._flow.wait()
                yield chunk
            await self._flow.wait()
        except ConnectionError:
            _reset(pair.client)
            _reset(pair.server)

    def _strike(self, snare: _Snare, pair: _Pair) -> None:
        """The server hears a plain end, so that it first works on all it was sent."""
        snare.times -= 1
        if not snare.times:
            self._snare = None
        pair.muted = True
        _reset(pair.client)
        self.struck.set()


class _Watch:
    """Looks for bytes in a stream, also where two reads meet."""

    def __init__(self) -> None:
        self._tail = b""

    def sees(self, pattern: bytes, chunk: bytes) -> bool:
        seen = self._tail + chunk
        self._tail = seen[max(len(seen) - len(pattern) + 1, 0) :]
        return pattern in seen


def _say_end(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        with suppress(OSError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN."""
    if not writer.is_closing():
        _linger_not(writer.get_extra_info("socket"))
    writer.transport.abort()


def _slam(sock: socket.socket) -> None:
    _linger_not(sock)
    sock.close()


def _linger_not(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
