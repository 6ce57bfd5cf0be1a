from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address

import pytest

from hookengine.domain.attempt import Answered, Outcome, Unknown, Unreachable
from hookengine.engine.sending import NotBegun
from hookengine.engine.wire import pool as pools
from hookengine.engine.wire.pool import LONGEST_IDLE
from hookengine.guard.address import AddressPolicy
from tests.conftest import make_request
from tests.unit.engine.targets import Heard, read_request, silent, target
from tests.unit.engine.wire.conftest import LONG, a_rig

pytestmark = pytest.mark.anyio

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
DONE = Answered(status=204)


async def test_a_connection_serves_one_request_after_another_and_more_are_opened_beside_it() -> None:
    heard = Heard()

    async with a_rig() as rig, target(heard) as url:
        for _ in range(3):
            assert await rig.post(url) == DONE
        assert heard.connections == 1
        assert await asyncio.gather(*(rig.post(url) for _ in range(5))) == [DONE] * 5
        assert heard.connections == rig.pool.idle == rig.pool.open == 5


async def test_origins_have_connections_of_their_own() -> None:
    one, other = Heard(), Heard()

    async with a_rig() as rig, target(one) as url, target(other) as another:
        for each in (url, another, url, another):
            await rig.post(each)

    assert (one.connections, other.connections) == (1, 1)


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\nConnection: close", "HTTP/1.0 200 OK"])
async def test_a_connection_that_the_target_ends_is_not_kept(head: str) -> None:
    heard = Heard(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())

    async with a_rig() as rig, target(heard) as url:
        for _ in range(2):
            assert await rig.post(url) == Answered(status=200)
        assert rig.pool.idle == 0

    assert heard.connections == 2


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"x"])
async def test_a_connection_that_says_more_than_it_was_asked_is_not_kept(extra: bytes) -> None:
    heard = Heard(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab" + extra)

    async with a_rig() as rig, target(heard) as url:
        for _ in range(2):
            assert await rig.post(url) == Answered(status=200, body="ab")

    assert heard.connections == 2


@pytest.mark.parametrize("end", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
async def test_a_kept_connection_that_has_ended_is_replaced_before_a_byte_is_written(end: bytes) -> None:
    """The target ends it in this very task: the loop hears nothing of it before the next request."""

    async def served(listening: socket.socket, request: asyncio.Task[Outcome]) -> socket.socket:
        accepted, _ = await asyncio.to_thread(listening.accept)
        await asyncio.to_thread(accepted.recv, 65536)
        accepted.sendall(NO_CONTENT)
        assert await request == DONE
        return accepted

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(LONG)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        async with a_rig() as rig:
            first = await served(listening, asyncio.create_task(rig.post(url)))
            first.sendall(end)
            first.shutdown(socket.SHUT_WR)
            second = await served(listening, asyncio.create_task(rig.post(url)))
            with suppress(ConnectionResetError):
                assert first.recv(1) == b""
            first.close()
            second.close()


async def test_a_kept_connection_that_ends_under_a_request_is_in_doubt_and_not_repeated() -> None:
    requests = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(NO_CONTENT)
        requests.append(await read_request(reader))

    async with a_rig() as rig, target(talk) as url:
        assert await rig.post(url) == DONE
        outcome = await rig.post(url)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == ("closed", True)
    assert len(requests) == 2


async def test_no_connection_outlives_the_policy_it_was_made_under() -> None:
    heard, asked, answered = Heard(), asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await answered.wait()
        writer.write(NO_CONTENT)
        await reader.read()

    async with a_rig() as rig, target(heard) as url, target(talk) as slow:
        await rig.post(url)
        under_way = asyncio.create_task(rig.post(slow))
        await asked.wait()
        rig.pool.policy = AddressPolicy.parse(["127.0.0.1"])
        assert rig.pool.idle == 0
        answered.set()
        assert await under_way == DONE
        assert rig.pool.idle == 0
        await rig.post(url)

    assert heard.connections == 2


async def test_a_connection_is_not_kept_for_ever() -> None:
    async with a_rig() as rig, target(Heard()) as url, target(Heard()) as other:
        await rig.post(url)
        rig.clock.advance(seconds=LONGEST_IDLE - 1)
        await rig.post(other)
        await rig.pool.close_idle()
        assert rig.pool.idle == 2
        rig.clock.advance(seconds=1)
        await rig.pool.close_idle()
        assert rig.pool.idle == 1


async def test_so_many_connections_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_IDLE", 2)

    async with a_rig() as rig, target(Heard()) as url:
        await asyncio.gather(*(rig.post(url) for _ in range(5)))
        assert rig.pool.idle == 2


async def test_a_request_that_is_given_up_takes_its_connection_with_it() -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        heard.set()
        with suppress(ConnectionError):
            await reader.read()
        left.set()

    async with a_rig() as rig, target(talk) as url:
        sending = asyncio.create_task(rig.post(url))
        await heard.wait()
        sending.cancel()
        assert isinstance(await sending, Unknown)
        async with asyncio.timeout(LONG):
            await left.wait()
        assert (rig.pool.open, rig.pool.idle) == (0, 0)


async def test_a_request_that_is_given_up_while_dialling_leaves_nothing_open() -> None:
    async with a_rig() as rig, target(silent) as url:
        sending = asyncio.create_task(rig.post(url.replace("http:", "https:")))
        for _ in range(10):
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert rig.pool.open == 0


async def test_a_lease_that_is_over_leaves_the_connection_to_others() -> None:
    heard = Heard()

    async with a_rig() as rig, target(heard) as url:
        await rig.post(url)
        with pytest.raises(NotBegun):
            await rig.sender.send(make_request(url=url), (), LONG, rig.clock.ticks() - 1)
        assert await rig.post(url) == DONE

    assert (heard.connections, len(heard.requests)) == (1, 2)


async def test_a_lease_that_ends_while_writing_stops_the_request() -> None:
    read = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        rig.clock.advance(seconds=10)
        while data := await reader.read(65536):
            read += len(data)

    async with a_rig() as rig, target(talk) as url:
        request = make_request(url=url, body=("x" * 50_000_000,))
        outcome = await rig.sender.send(request, (), LONG, rig.clock.ticks() + 5)

    assert getattr(outcome, "phase", None) == "write"
    assert getattr(outcome, "written", None) is True
    assert read < 40_000_000


async def test_a_connection_is_dialled_to_the_address_that_answers() -> None:
    heard = Heard()

    async def dial(address: object, port: int) -> socket.socket:
        if address == ip_address("127.0.0.2"):
            raise ConnectionRefusedError
        sock = socket.create_connection((str(address), port))
        sock.setblocking(False)
        return sock

    async with a_rig(lookup=lambda _: ["127.0.0.2", "127.0.0.1"], dial=dial) as rig, target(heard) as url:
        outcome = await rig.post(url.replace("127.0.0.1", "hooks.example"))

    assert isinstance(outcome, Answered)
    assert outcome.timing is not None
    assert outcome.timing.address == "127.0.0.1"
    assert heard.requests[0].headers[0] == ("Host", f"hooks.example:{url.split(':')[2].split('/')[0]}")
