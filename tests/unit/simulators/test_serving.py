from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from hookengine.simulators import Bitbucket, GitHub, GitLab, Host, serve

pytestmark = pytest.mark.anyio

SHA = "a" * 40
STATUSES = f"/repos/acme/shop/statuses/{SHA}"
HEADERS = {"Authorization": "Bearer t"}
BODY = b'{"state": "success", "context": "ci"}'


async def exchange(address: str, path: str = STATUSES) -> bytes:
    """Everything the server writes until it closes the connection."""
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\nAuthorization: Bearer t\r\n"
        f"Connection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    writer.write(head.encode() + BODY)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def ports_of(*addresses: str) -> list[int]:
    return [httpx.URL(address).port or 0 for address in addresses]


async def test_each_simulator_has_its_own_address() -> None:
    simulators: list[Host] = [kind(tokens={"t"}) for kind in (GitHub, GitLab, Bitbucket)]

    async with serve(simulators) as addresses, httpx.AsyncClient() as client:
        for address in addresses:
            await client.get(f"{address}/hello")

    assert len(set(addresses)) == 3
    assert [[received.path for received in simulator.received] for simulator in simulators] == [
        ["/hello"]
    ] * 3


async def test_an_encoded_slash_survives_the_wire() -> None:
    gitlab = GitLab(tokens={"t"})

    async with serve([gitlab]) as (address,):
        encoded = await exchange(address, f"/api/v4/projects/acme%2Fshop/statuses/{SHA}")
        plain = await exchange(address, f"/api/v4/projects/acme/shop/statuses/{SHA}")

    assert encoded.startswith(b"HTTP/1.1 201 ")
    assert plain.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("applied", [True, False])
async def test_a_dropped_connection_ends_without_a_byte(
    applied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    github = GitHub(tokens={"t"})

    async with serve([github]) as (address,):
        github.drop_next(applied)
        dropped = await exchange(address)
        answered = await exchange(address)

    assert dropped == b""
    assert answered.startswith(b"HTTP/1.1 201 ")
    assert github.shown("acme/shop", SHA)["ci"].history == ("success",) * (2 if applied else 1)
    assert caplog.records == []


async def test_a_client_sees_the_hang_up_as_a_protocol_error() -> None:
    github = GitHub(tokens={"t"})

    async with serve([github]) as (address,), httpx.AsyncClient(headers=HEADERS) as client:
        github.drop_next(applied=True)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(address + STATUSES, content=BODY)


async def test_leaving_hangs_up_on_held_requests_and_leaves_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    github = GitHub(tokens={"t"})
    before = asyncio.all_tasks()

    async with serve([github]) as (address,):
        github.delay_next(asyncio.Event())
        held = asyncio.create_task(exchange(address))
        await github.wait_for(lambda received: received.number == 1)

    assert await held == b""
    assert [received.dropped for received in github.received] == [True]
    assert asyncio.all_tasks() == before
    assert caplog.records == []
    with pytest.raises(ConnectionRefusedError):
        await exchange(address)


async def test_a_simulator_comes_back_on_the_same_port() -> None:
    github = GitHub(tokens={"t"})
    async with serve([github]) as first:
        await exchange(*first)

    async with serve([github], ports=ports_of(*first)) as second:
        await exchange(*second)

    assert first == second
    assert github.shown("acme/shop", SHA)["ci"].history == ("success", "success")


async def test_a_port_in_use_stops_all_of_them() -> None:
    simulators = [GitHub(tokens={"t"}), GitLab(tokens={"t"})]

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with serve(simulators, ports=[0, taken.getsockname()[1]]):
            pass


async def test_there_are_no_more_ports_than_simulators() -> None:
    with pytest.raises(ValueError, match="2 ports for 1 simulators"):
        async with serve([GitHub(tokens={"t"})], ports=[0, 0]):
            pass
