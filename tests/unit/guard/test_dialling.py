from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import (
    DIALLED_AT_MOST,
    GuardedBackend,
    addresses_for,
    interleaved,
    is_own_address,
    race,
    refusal_in,
)
from hookengine.guard.hostname import IPAddress, Refused
from hookengine.guard.resolver import Resolver

pytestmark = pytest.mark.anyio

NOBODY = AddressPolicy()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


ADDRESSES = {
    "outside.example": ["93.184.216.34"],
    "lan.example": ["10.0.0.7"],
    "many.example": [f"93.184.216.{number}" for number in range(200)],
}


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    resolver = Resolver(ADDRESSES.__getitem__)
    yield resolver
    resolver.close()


def addresses(*texts: str) -> list[IPAddress]:
    return [ip_address(text) for text in texts]


class Stream(httpcore.AsyncNetworkStream):
    def __init__(self, peer: str | None) -> None:
        self.peer, self.closed = peer, False

    def get_extra_info(self, info: str) -> Any:
        return (self.peer, 443) if info == "server_addr" and self.peer else None

    async def aclose(self) -> None:
        self.closed = True


class Wire(httpcore.AsyncNetworkBackend):
    """Remembers what it was told to dial; reaches `peer`, or nobody."""

    def __init__(self, peer: str | None = None) -> None:
        self.dialled: list[str] = []
        self.stream = Stream(peer)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        if self.stream.peer is None:
            raise httpcore.ConnectError("nobody there")
        return self.stream


@pytest.mark.parametrize("peer", ["127.0.0.1", "93.184.216.35", ""])
async def test_a_far_end_that_was_not_dialled_is_hung_up_on(resolver: Resolver, peer: str) -> None:
    wire = Wire(peer or "not an address")
    backend = GuardedBackend(NOBODY, resolver, inner=wire)

    with pytest.raises(httpcore.ConnectError) as caught:
        await backend.connect_tcp("outside.example", 443)

    refused = refusal_in(caught.value)
    assert refused is not None
    assert refused.reason_code == "peer_differs"
    assert wire.stream.closed


async def test_a_unix_socket_is_refused(resolver: Resolver) -> None:
    with pytest.raises(httpcore.ConnectError) as caught:
        await GuardedBackend(NOBODY, resolver).connect_unix_socket("/var/run/docker.sock")

    assert refusal_in(caught.value) is not None


async def test_a_far_end_that_never_accepts_runs_into_the_connect_timeout(resolver: Resolver) -> None:
    class BlackHole(Wire):
        async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
            await anyio.sleep_forever()
            raise AssertionError

    with pytest.raises(httpcore.ConnectTimeout):
        await GuardedBackend(NOBODY, resolver, inner=BlackHole()).connect_tcp(
            "outside.example", 80, timeout=0.02
        )


async def test_an_address_of_the_machine_needs_to_be_named_exactly(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.guard.connect.is_own_address", lambda own: str(own) == "10.0.0.7")
    network, exactly = AddressPolicy.parse(["10.0.0.0/8"]), AddressPolicy.parse(["10.0.0.7"])

    with pytest.raises(Refused) as caught:
        await addresses_for("lan.example", 443, network, resolver)
    assert caught.value.reason_code == "self"
    assert await addresses_for("lan.example", 443, exactly, resolver) == [ip_address("10.0.0.7")]


def test_the_machine_knows_its_own_addresses() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("203.0.113.77"))


async def test_a_long_answer_is_dialled_in_part_only(resolver: Resolver) -> None:
    wire = Wire()

    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(NOBODY, resolver, inner=wire).connect_tcp("many.example", 443)

    assert len(wire.dialled) == DIALLED_AT_MOST


def test_families_take_turns_after_the_first_choice() -> None:
    six, four = ["2606:4700::1", "2606:4700::2"], ["192.0.2.1", "192.0.2.2", "192.0.2.3"]

    assert interleaved(addresses(*four, *six)) == addresses(four[0], six[0], four[1], six[1], four[2])
    assert interleaved(addresses(*six, *four)) == addresses(six[0], four[0], six[1], four[1], four[2])


async def test_a_silent_address_does_not_hold_up_the_next() -> None:
    first, second = addresses("192.0.2.1", "192.0.2.2")
    stream = Stream("192.0.2.2")
    hung_up = anyio.Event()

    async def dial(address: IPAddress) -> httpcore.AsyncNetworkStream:
        if address == second:
            return stream
        try:
            await anyio.sleep_forever()
        finally:
            hung_up.set()
        raise AssertionError

    assert await race(dial, [first, second], stagger=0.01) is stream
    assert hung_up.is_set()
    assert not stream.closed


async def test_a_connection_that_comes_second_is_closed() -> None:
    first, second = addresses("192.0.2.1", "192.0.2.2")
    streams = {first: Stream("192.0.2.1"), second: Stream("192.0.2.2")}
    second_stands = anyio.Event()

    async def dial(address: IPAddress) -> httpcore.AsyncNetworkStream:
        if address == first:
            with anyio.CancelScope(shield=True):
                await second_stands.wait()
        else:
            second_stands.set()
        return streams[address]

    assert await race(dial, [first, second], stagger=0.01) is streams[second]
    assert streams[first].closed


async def test_a_connection_is_closed_when_the_caller_is_gone() -> None:
    first, second = addresses("192.0.2.1", "192.0.2.2")
    stream = Stream("192.0.2.2")
    stands = anyio.Event()

    with anyio.CancelScope() as caller:

        async def dial(address: IPAddress) -> httpcore.AsyncNetworkStream:
            if address == second:
                stands.set()
                return stream
            with anyio.CancelScope(shield=True):
                await stands.wait()
                caller.cancel()
            raise httpcore.ConnectError("too late")

        await race(dial, [first, second], stagger=0.01)

    assert caller.cancelled_caught
    assert stream.closed


def test_a_refusal_is_found_behind_causes_and_contexts_and_in_circles() -> None:
    refused = Refused("loopback", "no")
    outer = httpx.ConnectError("outer")
    outer.__context__ = httpcore.ConnectError("inner")
    outer.__context__.__cause__ = refused
    circle = ValueError()
    circle.__context__ = outer_of_circle = ValueError()
    outer_of_circle.__cause__ = circle

    assert refusal_in(outer) is refused
    assert refusal_in(refused) is refused
    assert refusal_in(circle) is None
