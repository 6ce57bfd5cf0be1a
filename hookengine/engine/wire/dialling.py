"""New connections: a name is looked up, its addresses are judged, and one of them is dialled."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from hookengine.engine.wire.connection import Connection, Keeper
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import (
    GARBAGE,
    TLS_CLOSED,
    TLS_GARBAGE,
    Broken,
    Late,
    of_connecting,
    of_handshake,
)
from hookengine.engine.wire.proxy import Proxy, Tunnels
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import Dial, addresses_for, connect, dial
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import LookupFailed, Resolver
from hookengine.guard.url import Target

LONGEST_GOODBYE = 1.0  # seconds that a TLS connection may take to be closed in good order

Contexts = Callable[[str], ssl.SSLContext]
"""The TLS that a host is met with."""


class Dialler:
    """With a `proxy` every way leads through it, and its own address is the one that is not judged."""

    def __init__(
        self, resolver: Resolver, contexts: Contexts, dial: Dial = dial, proxy: Proxy | None = None
    ) -> None:
        self._resolver = resolver
        self._contexts = contexts
        self._dial = dial
        self._tunnels = None if proxy is None else Tunnels(proxy, resolver, dial)

    def way_to(self, target: Target) -> str:
        """Connections serve only requests that go the same way."""
        return target.origin if self._tunnels is None else f"{target.origin} by {self._tunnels.proxy}"

    async def open(
        self, target: Target, policy: AddressPolicy, exchange: Exchange, keeper: Keeper
    ) -> Connection:
        """Raises Refused, Broken or Late; then nothing stays open."""
        seconds = min(exchange.connect_timeout, exchange.deadline - exchange.loop.time())
        try:
            async with asyncio.timeout(seconds):
                return await self._open(target, policy, exchange, keeper)
        except TimeoutError:
            raise Late(exchange.step) from None

    async def _open(
        self, target: Target, policy: AddressPolicy, exchange: Exchange, keeper: Keeper
    ) -> Connection:
        exchange.enter("dns")
        try:
            addresses = await addresses_for(target.host, target.port, policy, self._resolver)
        except LookupFailed as failed:
            raise Late("dns") if failed.timed_out else Broken(failed.code, str(failed)) from failed
        try:
            sock, exchange.address = await self._connected(target, addresses, policy, exchange)
        except OSError as error:
            raise of_connecting(error) from None
        secure = target.scheme == "https"
        connection = Connection(exchange.loop, sock, exchange.address, secure=secure)
        try:
            transport, _ = await exchange.loop.create_connection(lambda: connection, sock=sock)
        except BaseException:
            sock.close()
            raise
        if secure:
            exchange.enter("tls")
            transport = await self._secured(transport, connection, target.host, exchange.loop)
        elif connection.spoke_unasked:
            transport.abort()
            raise Broken(*GARBAGE)
        connection.kept_by(keeper, transport)
        return connection

    async def _connected(
        self, target: Target, addresses: Sequence[IPAddress], policy: AddressPolicy, exchange: Exchange
    ) -> tuple[socket.socket, str | None]:
        if self._tunnels is not None:
            return await self._tunnels.connect(target, addresses, policy, exchange)
        exchange.enter("connect")
        sock = await connect(addresses, target.port, policy, self._dial)
        return sock, sock.getpeername()[0]

    async def _secured(
        self, plain: asyncio.Transport, connection: Connection, host: str, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Transport:
        if connection.spoke_unasked or connection.closing:  # a target that speaks TLS waits to be spoken to
            plain.abort()
            raise Broken(*(TLS_GARBAGE if connection.spoke_unasked else TLS_CLOSED))
        try:
            transport = await loop.start_tls(
                plain,
                connection,
                self._contexts(host),
                server_hostname=host,
                ssl_shutdown_timeout=LONGEST_GOODBYE,
            )
        except OSError as error:
            plain.abort()
            raise of_handshake(error) from None
        except BaseException:
            plain.abort()
            raise
        assert transport is not None  # noqa: S101  it is None for a transport closed by us only
        return transport
