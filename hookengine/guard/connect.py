"""Where the fence holds: nothing is dialled but an address that was judged, under any URL, name or redirect.

The address is judged on every new connection, after the look-up and before the dialling, and no name reaches
the system below; so a name that answers differently the second time (DNS rebinding) has no second time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import itertools
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import anyio
import httpcore
import httpx

from hookengine.guard.address import AddressPolicy, check_address, check_addresses, native
from hookengine.guard.hostname import IPAddress, Refused
from hookengine.guard.resolver import LookupFailed, Resolver
from hookengine.guard.url import check_endpoint, host_of

# RFC 8305, 5: the "Connection Attempt Delay".
STAGGER_SECONDS = 0.25
# An answer of a thousand addresses would else make the engine a port scanner.
DIALLED_AT_MOST = 8

Dial = Callable[[IPAddress], Awaitable[httpcore.AsyncNetworkStream]]


def refusal_in(error: BaseException) -> Refused | None:
    """The fence's refusal behind an exception of httpx or httpcore, if that is what it was."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Refused):
            return current
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            waiting += [current.__context__, current.__cause__]
    return None


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


def check_peer(stream: httpcore.AsyncNetworkStream, dialled: IPAddress, policy: AddressPolicy) -> None:
    """Raises Refused when the far end is not what was dialled, or cannot be told."""
    peer = _address_in(stream.get_extra_info("server_addr"))
    if peer != dialled:
        raise Refused("peer_differs", f"dialled {dialled} but reached {peer}", address=peer)
    check_address(peer, policy)


async def race(
    dial: Dial, addresses: Iterable[IPAddress], stagger: float = STAGGER_SECONDS
) -> httpcore.AsyncNetworkStream:
    """The first connection that stands. The next address is tried when one failed or took `stagger` seconds."""
    runners = _Race(dial)
    try:
        async with anyio.create_task_group() as group:
            for address in addresses:
                settled = anyio.Event()
                group.start_soon(runners.run, address, settled, group.cancel_scope)
                with anyio.move_on_after(stagger):
                    await settled.wait()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await runners.close()
        raise
    return runners.winner_or_raise()


class _Race:
    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._winner: httpcore.AsyncNetworkStream | None = None
        self._errors: list[Exception] = []

    async def run(self, address: IPAddress, settled: anyio.Event, others: anyio.CancelScope) -> None:
        try:
            stream = await self._dial(address)
        except (httpcore.ConnectError, httpcore.ConnectTimeout, Refused) as error:
            self._errors.append(error)
            settled.set()
            return
        if self._winner is None:
            self._winner = stream
            others.cancel()
        else:
            await stream.aclose()

    async def close(self) -> None:
        if self._winner is not None:
            await self._winner.aclose()

    def winner_or_raise(self) -> httpcore.AsyncNetworkStream:
        if self._winner is not None:
            return self._winner
        raise next((error for error in self._errors if isinstance(error, Refused)), self._errors[0])


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore, to judged addresses only. A refusal is a ConnectError caused by Refused.

    `inner` dials literals; it must report the far end as `server_addr`, as httpcore's own backends do.
    TLS is not its matter: server name and certificate stay with the name in the URL.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        *,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy, self._resolver = policy, resolver
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        options = None if socket_options is None else list(socket_options)

        async def dial(address: IPAddress) -> httpcore.AsyncNetworkStream:
            stream = await self._inner.connect_tcp(
                str(address), port, local_address=local_address, socket_options=options
            )
            try:
                check_peer(stream, address, self._policy)
            except Refused:
                await stream.aclose()
                raise
            return stream

        with _as_httpcore_errors(host):
            with anyio.fail_after(timeout):
                return await race(dial, await addresses_for(host, port, self._policy, self._resolver))

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _as_httpcore_errors(path):
            raise Refused("unix_socket", "unix sockets are not called")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """The only transport an `httpx.AsyncClient` of the engine is given: `AsyncClient(transport=..., trust_env=False)`.

    A kept-alive connection is not judged again: make one transport per policy and close it when the policy
    changes. Never pass `proxy=` or `mounts=` beside it, they go round it. The resolver is the caller's to close.
    It replaces the pool and not `handle_async_request`, which is what pytest-httpx takes over.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        *,
        verify: ssl.SSLContext | bool = True,
        limits: httpx.Limits | None = None,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        context = httpx.create_ssl_context(verify=verify, trust_env=False)
        super().__init__(verify=context, trust_env=False, http1=True, http2=False, retries=0)
        limits = limits or httpx.Limits(
            max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http1=True,
            http2=False,
            retries=0,
            network_backend=GuardedBackend(policy, resolver, inner=inner),
        )


@contextlib.contextmanager
def _as_httpcore_errors(where: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise httpcore.ConnectError(f"refused ({refused.reason_code}): {refused}") from refused
    except LookupFailed as failed:
        kind = httpcore.ConnectTimeout if failed.timed_out else httpcore.ConnectError
        raise kind(str(failed)) from failed
    except TimeoutError as late:
        raise httpcore.ConnectTimeout(f"{where} did not accept a connection in time") from late


def _address_in(sockaddr: object) -> IPAddress | None:
    match sockaddr:
        case (str(text), *_):
            with contextlib.suppress(ValueError):
                return native(ipaddress.ip_address(text))
    return None
