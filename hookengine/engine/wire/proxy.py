"""The operator's egress proxy: a tunnel to each target, asked for with CONNECT (RFC 9110, 9.3.6).

The proxy is told the address that the fence has judged, never what a name may mean to it, unless the operator
wants it told names. Of the way, only the hop to the proxy itself is not judged.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import (
    GARBAGE,
    PROXY_CLOSED,
    PROXY_GARBAGE,
    PROXY_LACKS_CREDENTIALS,
    PROXY_UNREACHABLE,
    Broken,
    ProxyFailed,
    is_own_lack,
    of_refusal,
)
from hookengine.guard.address import AddressPolicy, check_address
from hookengine.guard.connect import Dial, first_of
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import LookupFailed, Resolver
from hookengine.guard.url import Target
from hookengine.guard.vault import SecretMissing

LARGEST_HEAD = 16 * 1024  # bytes of the proxy's answer
_BEGINNING = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """`credentials` gives `user:password`, anew for each connection, or raises SecretMissing.

    `by_name`: the proxy is told names, for its own rules, and looks them up itself.
    """

    host: str
    port: int
    credentials: Callable[[], str] | None = None
    by_name: bool = False

    def __str__(self) -> str:
        return _authority(self.host, self.port)


class Tunnels:
    """Ways through a proxy. Nothing stays open of one that failed."""

    def __init__(self, proxy: Proxy, resolver: Resolver, dial: Dial) -> None:
        self.proxy = proxy
        self._resolver = resolver
        self._dial = dial

    async def connect(
        self, target: Target, addresses: Sequence[IPAddress], policy: AddressPolicy, exchange: Exchange
    ) -> tuple[socket.socket, str | None]:
        """A tunnel to one of the target's judged `addresses`, each judged again, and which it was; None if only
        the proxy knows. Raises Refused, Broken, or OSError, which may be a ProxyFailed.
        """
        exchange.enter("proxy")
        if self.proxy.by_name:
            return await self._tunnel(_authority(target.host, target.port), exchange), None
        reached: dict[socket.socket, str] = {}

        async def through(address: IPAddress) -> socket.socket:
            check_address(address, policy)
            sock = await self._tunnel(_authority(str(address), target.port), exchange)
            reached[sock] = str(address)
            return sock

        sock = await first_of(addresses, through)
        return sock, reached[sock]

    async def _tunnel(self, authority: str, exchange: Exchange) -> socket.socket:
        sock = await self._to_the_proxy()
        try:
            request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{self._authorization()}\r\n"
            if exchange.step == "proxy":
                exchange.enter("tunnel")
            status = await _asked(sock, request.encode("ascii"))
            if not 200 <= status < 300:
                raise of_refusal(status)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _to_the_proxy(self) -> socket.socket:
        try:
            addresses = await self._addresses()
            return await first_of(addresses, lambda address: self._dial(address, self.proxy.port))
        except (OSError, LookupFailed) as error:
            if isinstance(error, OSError) and is_own_lack(error):
                raise
            raise Broken(*PROXY_UNREACHABLE) from None

    async def _addresses(self) -> Sequence[IPAddress]:
        with contextlib.suppress(ValueError):
            return (ipaddress.ip_address(self.proxy.host),)
        return await self._resolver.resolve(self.proxy.host)

    def _authorization(self) -> str:
        if self.proxy.credentials is None:
            return ""
        try:
            credentials = self.proxy.credentials()
        except SecretMissing:
            raise Broken(*PROXY_LACKS_CREDENTIALS) from None
        return f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}\r\n"


async def _asked(sock: socket.socket, request: bytes) -> int:
    """The status of the final answer. What it says of a body counts for nothing where it is a 2xx."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(sock, request)
        head = bytearray()
        while len(head) <= LARGEST_HEAD:
            data = await loop.sock_recv(sock, LARGEST_HEAD)
            head += data
            status = final_status(head)
            if status is not None:
                return status
            if not data:
                raise ProxyFailed(*PROXY_CLOSED)
    except ProxyFailed:
        raise
    except OSError:
        raise ProxyFailed(*PROXY_CLOSED) from None
    raise ProxyFailed(*PROXY_GARBAGE)


def final_status(head: bytearray) -> int | None:
    """None until it has come. Raises ProxyFailed for what is no answer, or goes on after a 2xx."""
    start = 0
    while (end := head.find(b"\r\n\r\n", start)) >= 0:
        matched = _STATUS.match(head, start)
        status = int(matched[1]) if matched else 101
        start = end + 4
        if status == 101:
            raise ProxyFailed(*PROXY_GARBAGE)
        if 200 <= status < 300 and start < len(head):
            raise ProxyFailed(*GARBAGE)
        if status >= 200:
            return status
    begun = head[start : start + len(_BEGINNING)]
    if not _BEGINNING.startswith(begun):
        raise ProxyFailed(*PROXY_GARBAGE)
    return None


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
