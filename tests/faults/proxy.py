"""A TCP proxy between the engine and its database that does to connections what networks do."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from tests.faults.sockets import Listener, reset

T = TypeVar("T")

PATIENCE = 60.0  # seconds until an order to the proxy must have been obeyed
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
        self.struck = threading.Event()  # a snare has cut a connection
        self._snare: _Snare | None = None
        self._listener = Listener(self._serve)
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
        self._do(self._listener.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._place.close()

    @property
    def connections(self) -> int:
        """Ever made to it."""
        return self._listener.accepted

    def let_pass(self) -> None:
        self._snare = None
        self._do(self._listen(self._flow.set))

    def stall(self) -> None:
        self._do(self._listen(self._flow.clear))

    def cut(self) -> None:
        self._do(self._listener.close())

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
        self._listener.open(self.port)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        await self._flow.wait()
        with suppress(OSError):  # the server is not there
            answers, server = await asyncio.open_connection(*self.target)
            try:
                pair = _Pair(client, server)
                await asyncio.gather(self._forth(reader, pair), self._back(answers, pair))
            finally:
                reset(server)

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
            reset(pair.client)
            reset(pair.server)

    def _strike(self, snare: _Snare, pair: _Pair) -> None:
        """The server hears a plain end, so that it first works on all it was sent."""
        snare.times -= 1
        if not snare.times:
            self._snare = None
        pair.muted = True
        reset(pair.client)
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
