from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

import anyio
import pytest

from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import DIALLED_AT_MOST, addresses_for, connect, interleaved, is_own_address
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


class Socket(socket.socket):
    """Connected to `peer`, if one believes it."""

    def __init__(self, peer: str) -> None:
        super().__init__()
        self.peer = peer
        self.gone = anyio.Event()

    def close(self) -> None:
        super().close()
        self.gone.set()

    def getpeername(self) -> tuple[str, int]:
        return self.peer, 443

    @property
    def closed(self) -> bool:
        return self.fileno() < 0


class Wire:
    """Remembers what it was told to dial; reaches `peer`, or nobody."""

    def __init__(self, peer: str = "") -> None:
        self.dialled: list[str] = []
        self.sockets: list[Socket] = []
        self._peer = peer

    async def __call__(self, address: IPAddress, port: int) -> socket.socket:
        self.dialled.append(str(address))
        if not self._peer:
            raise ConnectionRefusedError
        self.sockets.append(Socket(self._peer))
        return self.sockets[-1]


@pytest.mark.parametrize("peer", ["127.0.0.1", "93.184.216.35", "not an address"])
async def test_a_far_end_that_was_not_dialled_is_hung_up_on(peer: str) -> None:
    wire = Wire(peer)

    with pytest.raises(Refused) as caught:
        await connect(addresses("93.184.216.34"), 443, NOBODY, wire)

    assert caught.value.reason_code == "peer_differs"
    assert [sock.closed for sock in wire.sockets] == [True]


async def test_an_address_that_was_not_judged_is_not_dialled() -> None:
    wire = Wire("10.0.0.1")

    with pytest.raises(Refused):
        await connect(addresses("10.0.0.1"), 443, NOBODY, wire)

    assert wire.dialled == []


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

    with pytest.raises(ConnectionRefusedError):
        await connect(await addresses_for("many.example", 443, NOBODY, resolver), 443, NOBODY, wire)

    assert len(wire.dialled) == DIALLED_AT_MOST


def test_families_take_turns_after_the_first_choice() -> None:
    six, four = ["2606:4700::1", "2606:4700::2"], ["192.0.2.1", "192.0.2.2", "192.0.2.3"]

    assert interleaved(addresses(*four, *six)) == addresses(four[0], six[0], four[1], six[1], four[2])
    assert interleaved(addresses(*six, *four)) == addresses(six[0], four[0], six[1], four[1], four[2])


async def test_a_silent_address_does_not_hold_up_the_next() -> None:
    first, second = addresses("93.184.216.34", "93.184.216.35")
    hung_up = anyio.Event()
    stands = Socket(str(second))

    async def dial(address: IPAddress, port: int) -> socket.socket:
        if address == second:
            return stands
        try:
            await anyio.sleep_forever()
        finally:
            hung_up.set()
        raise AssertionError

    assert await connect([first, second], 443, NOBODY, dial, stagger=0.01) is stands
    await hung_up.wait()
    assert not stands.closed
    stands.close()


async def test_a_connection_that_comes_second_is_closed() -> None:
    first, second = addresses("93.184.216.34", "93.184.216.35")
    sockets = {first: Socket(str(first)), second: Socket(str(second))}

    async def dial(address: IPAddress, port: int) -> socket.socket:
        if address == first:
            with suppress(asyncio.CancelledError):
                await anyio.sleep_forever()
        return sockets[address]

    assert await connect([first, second], 443, NOBODY, dial, stagger=0.01) is sockets[second]
    await sockets[first].gone.wait()
    sockets[second].close()


async def test_a_connection_is_closed_when_the_caller_is_gone() -> None:
    first, second = addresses("93.184.216.34", "93.184.216.35")
    sock = Socket(str(second))

    with anyio.CancelScope() as caller:

        async def dial(address: IPAddress, port: int) -> socket.socket:
            if address == second:
                caller.cancel()
                return sock
            await anyio.sleep_forever()
            raise AssertionError

        await connect([first, second], 443, NOBODY, dial, stagger=0.01)

    await sock.gone.wait()
    assert caller.cancelled_caught


async def test_an_address_that_refuses_makes_place_for_the_next_at_once() -> None:
    first, second = addresses("93.184.216.34", "93.184.216.35")
    stands = Socket(str(second))

    async def dial(address: IPAddress, port: int) -> socket.socket:
        if address == first:
            raise ConnectionRefusedError
        return stands

    with anyio.fail_after(5):
        assert await connect([first, second], 443, NOBODY, dial, stagger=60) is stands
    stands.close()
