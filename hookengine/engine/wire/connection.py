"""A connection to a target: one request at a time, one bounded answer each."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from contextlib import suppress
from typing import Protocol, cast

from hookengine.engine.wire.answer import AnswerReader
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import CLOSED, Broken, Late, LeaseOver, of_loss

PIECE = 64 * 1024  # bytes that are written between two looks at the lease
_NO_LINGER = struct.pack("ii", 1, 0)
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux only


class Keeper(Protocol):
    """Who owns connections."""

    def keep(self, connection: Connection) -> None:
        """It may serve again."""

    def forget(self, connection: Connection) -> None:
        """It will not serve again."""

    def lost(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.Protocol):
    """Over a connected socket, which it uses beside its transport: what has left is known for sure only so."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, address: str | None, *, secure: bool
    ) -> None:
        self.address = address
        self.idle_since = 0.0
        self.closing = False
        self.spoke_unasked = False
        self._loop = loop
        self._socket = sock
        self._secure = secure
        self._used = False
        self._keeper: Keeper | None = None
        self._exchange: Exchange | None = None
        self._reader = AnswerReader()
        self._rest: memoryview | None = None  # of the request, not yet given to the transport
        self._paused = False  # the transport holds bytes back
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._user_timeout = 0
        self._readable = select.poll()
        self._readable.register(sock.fileno(), select.POLLIN)

    def kept_by(self, keeper: Keeper, transport: asyncio.Transport) -> None:
        self._keeper, self._transport = keeper, transport
        transport.set_write_buffer_limits(1, 0)

    def begin(self, exchange: Exchange) -> bool:
        """Sends the request. False if the target had hung up: then no byte was written, and this is closed.

        Raises LeaseOver, or what the gate raises: then no byte was written, and this may serve again.
        """
        # After an answer nothing comes but the end. On a new connection, TLS may have more to say.
        if self.closing or (self._used and self._readable.poll(0)):
            self.drop()
            return False
        self._reader.begin(exchange)
        self._bound(exchange.deadline)
        exchange.gate.before_write()
        exchange.gate.check()
        return self._write_first(exchange)

    def give_up(self, exchange: Exchange) -> None:
        """Nobody waits for it any more."""
        if self._exchange is exchange:
            self._end(asyncio.CancelledError())

    def drop(self) -> None:
        """Close in good order."""
        self._leave()
        self._transport.close()

    def cut(self) -> None:
        """Close with a reset: what was written and has not arrived is not sent again."""
        self._leave()
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(1, 0)  # told as soon as anything is held back

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if self._exchange is not None:
            self._end(of_loss(exc))
        if self._keeper is not None:
            self._keeper.lost(self)

    def eof_received(self) -> None:
        if self._exchange is None:
            self.drop()
        else:
            self._end(None if self._exchange.ends_with_the_connection else Broken(*CLOSED))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._rest is not None:
            self._loop.call_soon(self._go_on_writing)  # asyncio does not expect to be closed in here

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.spoke_unasked = True
            if self._keeper is not None:
                self.drop()
            return
        exchange.hear()
        self._feed(exchange, data)
        if self._exchange is not exchange:
            return
        reader = self._reader
        if reader.complete:
            self._end(None, keep=reader.keeps_alive and self._rest is None and not self._paused)
        elif reader.full or (exchange.status and not exchange.has_body):
            exchange.cut = reader.full
            self._end(None)

    # Inside

    def _write_first(self, exchange: Exchange) -> bool:
        message, sent = exchange.message, 0
        exchange.written = True
        if not self._secure:
            try:
                sent = self._socket.send(message)
            except BlockingIOError:
                pass
            except OSError:
                exchange.written = False
                self.drop()
                return False
        self._used, self._exchange, exchange.address = True, exchange, self.address
        if sent < len(message):
            exchange.enter("write")
            self._rest = memoryview(message)[sent:]
            self._go_on_writing()
        else:
            self._written(exchange)
        return True

    def _go_on_writing(self) -> None:
        exchange = self._exchange
        if exchange is None or self._rest is None:
            return
        while self._rest and not self._paused:
            try:
                exchange.gate.check()
            except LeaseOver:
                self._end(Late("write"))
                return
            piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
            self._transport.write(piece)
        if not self._rest and not self._paused:
            self._rest = None
            self._written(exchange)

    def _written(self, exchange: Exchange) -> None:
        exchange.enter("read")
        try:
            exchange.gate.after_write()
        except Exception as error:  # noqa: BLE001  it belongs to the request, not to the loop
            self._end(error)

    def _feed(self, exchange: Exchange, data: bytes) -> None:
        had_status = exchange.status
        failure: Exception | None = self._reader.feed(data)
        if exchange.status and not had_status:
            try:
                exchange.gate.after_answer()
            except Exception as error:  # noqa: BLE001  as above
                exchange.status, failure = 0, error
        if failure is not None:
            self._end(failure)

    def _bound(self, deadline: float) -> None:
        """One timer serves request after request: it is set anew when it rings too early."""
        if self._timer is None or self._rings_at > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = deadline
            self._timer = self._loop.call_at(deadline, self._ring)
        millis = max(1, int((deadline - self._loop.time()) * 1000))
        if _USER_TIMEOUT is not None and abs(millis - self._user_timeout) > 1000:
            self._user_timeout = millis
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, millis)

    def _ring(self) -> None:
        self._timer = None
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.deadline > self._loop.time():
            self._bound(exchange.deadline)
        else:
            self._end(Late(exchange.step))

    def _end(self, failure: BaseException | None, *, keep: bool = False) -> None:
        exchange, self._exchange = self._exchange, None
        unfinished, self._rest = self._rest is not None or failure is not None, None
        if keep and self._keeper is not None:
            self._keeper.keep(self)
        elif unfinished:
            self.cut()
        else:
            self.drop()
        if exchange is not None:
            exchange.end(failure)

    def _leave(self) -> None:
        if self.closing:
            return
        self.closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._keeper is not None:
            self._keeper.forget(self)
