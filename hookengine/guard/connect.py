"""Where the fence holds: nothing is dialled but an address that was judged, under any URL, name or redirect.

The address is judged on every new connection, after the look-up and before the dialling, and no name reaches
the system below; so a name that answers differently the second time (DNS rebinding) has no second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import itertools
import socket
from collections.abc import Awaitable, Callable, Sequence

from hookengine.guard.address import AddressPolicy, check_address, check_addresses, native
from hookengine.guard.hostname import IPAddress, Refused
from hookengine.guard.resolver import Resolver
from hookengine.guard.url import check_endpoint, host_of

# RFC 8305, 5: the "Connection Attempt Delay".
STAGGER_SECONDS = 0.25
# An answer of a thousand addresses would else make the engine a port scanner.
DIALLED_AT_MOST = 8

Dial = Callable[[IPAddress, int], Awaitable[socket.socket]]
"""Connects to an address and port. Raises OSError."""


async def addresses_for(host: str, port: int, policy: AddressPolicy, resolver: Resolver) -> list[IPAddress]:
    """The addresses to dial for `host`, in the order to dial them, from exactly one look-up (none for a literal).

    Raises Refused or LookupFailed. `host` is judged as in a URL, so the URL need not have been.
    """
    where = host_of(host)
    check_endpoint(where, port, policy)
    found = await resolver.resolve(where) if isinstance(where, str) else (where,)
    chosen = interleaved(check_addresses(str(where), found, policy))[:DIALLED_AT_MOST]
    own = frozenset(address for address in chosen if is_own_address(address))
    if not own:
        return chosen
    knowing = dataclasses.replace(policy, own_addresses=policy.own_addresses | own)
    return check_addresses(str(where), chosen, knowing)


async def dial(address: IPAddress, port: int) -> socket.socket:
    """A connected, non-blocking socket that sends at once."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


async def connect(
    addresses: Sequence[IPAddress],
    port: int,
    policy: AddressPolicy,
    dial: Dial = dial,
    stagger: float = STAGGER_SECONDS,
) -> socket.socket:
    """A socket whose far end is one of `addresses`, each judged again. Raises Refused or OSError."""

    async def dial_and_check(address: IPAddress) -> socket.socket:
        check_address(address, policy)
        sock = await dial(address, port)
        try:
            check_peer(sock, address, policy)
        except BaseException:
            sock.close()
            raise
        return sock

    return await first_of(addresses, dial_and_check, stagger)


async def first_of(
    addresses: Sequence[IPAddress],
    dial: Callable[[IPAddress], Awaitable[socket.socket]],
    stagger: float = STAGGER_SECONDS,
) -> socket.socket:
    """The first connection that stands; nothing is judged here. Raises what `dial` raised: Refused or OSError
    when all have failed, anything else at once.
    """
    if len(addresses) == 1:
        return await dial(addresses[0])
    return await _Race(dial).run(addresses, stagger)


def check_peer(sock: socket.socket, dialled: IPAddress, policy: AddressPolicy) -> None:
    """Raises Refused when the far end is not what was dialled, or cannot be told; OSError when it has gone."""
    peer = _address_in(sock.getpeername())
    if peer != dialled:
        raise Refused("peer_differs", f"dialled {dialled} but reached {peer}", address=peer)
    check_address(peer, policy)


def is_own_address(address: IPAddress) -> bool:
    """Whether the machine would talk to itself: it then sends from the very address it sends to.

    Connecting a UDP socket makes the kernel choose the source address and sends nothing.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return _address_in(probe.getsockname()) == address
    except OSError:
        return False


def interleaved(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """The two families in turn, the resolver's first choice first (RFC 8305, 4)."""
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    pairs = itertools.zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


class _Race:
    """The first connection that stands. The next address is tried when one failed or took too long."""

    def __init__(self, dial: Callable[[IPAddress], Awaitable[socket.socket]]) -> None:
        self._dial = dial
        self._running: set[asyncio.Task[socket.socket]] = set()
        self._errors: list[Exception] = []

    async def run(self, addresses: Sequence[IPAddress], stagger: float) -> socket.socket:
        left = list(addresses)
        try:
            while left or self._running:
                if left:
                    self._running.add(asyncio.create_task(self._attempt(left.pop(0))))
                winner = await self._next(stagger if left else None)
                if winner is not None:
                    return winner
        finally:
            for task in self._running:
                task.add_done_callback(_hang_up)
                task.cancel()
        raise next((error for error in self._errors if isinstance(error, Refused)), self._errors[0])

    async def _attempt(self, address: IPAddress) -> socket.socket:
        return await self._dial(address)

    async def _next(self, patience: float | None) -> socket.socket | None:
        done, _ = await asyncio.wait(self._running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if error is None:
                self._running.discard(task)
                return task.result()
            if not isinstance(error, (OSError, Refused)):
                raise error
            self._running.discard(task)
            self._errors.append(error)
        return None


def _hang_up(task: asyncio.Task[socket.socket]) -> None:
    """One that stood, but too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _address_in(sockaddr: object) -> IPAddress | None:
    match sockaddr:
        case (str(text), *_):
            with contextlib.suppress(ValueError):
                return native(ipaddress.ip_address(text))
    return None
