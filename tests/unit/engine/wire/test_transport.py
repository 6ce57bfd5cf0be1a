from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.tls import trusting
from hookengine.engine.wire.transport import GuardedTransport, refusal_in
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import Dial, dial
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import Resolver
from tests.conftest import Clock

pytestmark = pytest.mark.anyio

NOBODY = AddressPolicy()
LOOPBACK = AddressPolicy.parse(["127.0.0.0/8"], allow_hosts=["localhost"])
PUBLIC = "93.184.216.34"


class Canary:
    """A real listener on 127.0.0.1 that counts who comes and answers what it is told to."""

    def __init__(self) -> None:
        self.visits = 0
        self.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        if await reader.read(65536):
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def visits_before_now(self) -> int:
        """Knocks once itself: the kernel hands out connections in order, so all earlier ones are counted."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"knock")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        return self.visits - 1


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    async with await asyncio.start_server(canary.serve, "127.0.0.1", 0) as server:
        canary.port = server.sockets[0].getsockname()[1]
        yield canary


class Names:
    """Fake DNS: each name gives its answers in turn, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        turns = self.answers[name]
        return turns.pop(0) if len(turns) > 1 else turns[0]


class Nobody:
    """Remembers what it was told to dial, and reaches nobody."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def __call__(self, address: IPAddress, port: int) -> socket.socket:
        self.dialled.append(str(address))
        raise ConnectionRefusedError


@pytest.fixture
def names() -> Names:
    return Names(
        inside_example=[["127.0.0.1"]],
        localhost=[["127.0.0.1"]],
        outside_example=[[PUBLIC]],
        rebinding_example=[[PUBLIC], ["127.0.0.1"]],
        mixed_example=[[PUBLIC, "127.0.0.1"]],
        away_example=[["127.0.0.1"], ["127.0.0.2"]],
    )


@pytest.fixture
def resolver(names: Names) -> Iterator[Resolver]:
    resolver = Resolver(names)
    yield resolver
    resolver.close()


@asynccontextmanager
async def a_client(
    policy: AddressPolicy, resolver: Resolver, dial: Dial = dial
) -> AsyncIterator[httpx.AsyncClient]:
    tls = trusting()
    pool = Pool(Dialler(resolver, lambda _: tls, dial), policy, Clock())
    async with httpx.AsyncClient(transport=GuardedTransport(pool)) as client:
        yield client
    await pool.close()


async def get(
    url: str, policy: AddressPolicy, resolver: Resolver, *, dial: Dial = dial, **options: Any
) -> httpx.Response:
    async with a_client(policy, resolver, dial) as client:
        return await client.get(url, **options)


async def refusal_of(url: str, policy: AddressPolicy, resolver: Resolver, **options: Any) -> str:
    with pytest.raises(httpx.ConnectError) as caught:
        await get(url, policy, resolver, **options)
    refused = refusal_in(caught.value)
    assert refused is not None
    return refused.reason_code


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("[::ffff:127.0.0.1]", "loopback"),
        ("0.0.0.0", "this_network"),
        ("127.1", "ambiguous_ipv4"),
        ("2130706433", "ambiguous_ipv4"),
        ("127\u30020\u30020\u30021", "loopback"),
        ("inside.example", "loopback"),
        ("mixed.example", "mixed:loopback"),
        ("localhost", "single_label"),
    ],
)
async def test_nothing_reaches_loopback_when_it_is_not_allowed(
    canary: Canary, resolver: Resolver, host: str, reason: str
) -> None:
    assert await refusal_of(f"http://{host}:{canary.port}/", NOBODY, resolver) == reason
    assert await canary.visits_before_now() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "inside.example", "localhost"])
async def test_loopback_is_reached_when_the_operator_allows_it(
    canary: Canary, resolver: Resolver, host: str
) -> None:
    response = await get(f"http://{host}:{canary.port}/", LOOPBACK, resolver)

    assert response.status_code == 204
    assert canary.visits == 1


async def test_a_local_name_needs_its_network_opened_too(canary: Canary, resolver: Resolver) -> None:
    policy = AddressPolicy.parse(allow_hosts=["localhost"])

    assert await refusal_of(f"http://localhost:{canary.port}/", policy, resolver) == "loopback"
    assert await canary.visits_before_now() == 0


async def test_a_rebinding_name_is_looked_up_once_and_dialled_where_it_was_judged(
    canary: Canary, names: Names, resolver: Resolver
) -> None:
    wire = Nobody()

    with pytest.raises(httpx.ConnectError) as caught:
        await get(f"http://rebinding.example:{canary.port}/", NOBODY, resolver, dial=wire)

    assert refusal_in(caught.value) is None
    assert names.asked == ["rebinding.example"]
    assert wire.dialled == [PUBLIC]
    assert await refusal_of(f"http://rebinding.example:{canary.port}/", NOBODY, resolver) == "loopback"
    assert await canary.visits_before_now() == 0


async def test_one_lookup_is_made_for_a_connection_that_works(
    canary: Canary, names: Names, resolver: Resolver
) -> None:
    only = AddressPolicy.parse(["127.0.0.1/32"])

    assert (await get(f"http://away.example:{canary.port}/", only, resolver)).status_code == 204
    assert names.asked == ["away.example"]


async def test_a_redirect_is_judged_like_any_other_connection(canary: Canary, resolver: Resolver) -> None:
    only = AddressPolicy.parse(["127.0.0.1/32"])
    canary.answer = b"HTTP/1.1 307 Off\r\nLocation: http://127.0.0.2:%d/\r\n\r\n" % canary.port
    url = f"http://127.0.0.1:{canary.port}/"

    assert await refusal_of(url, only, resolver, follow_redirects=True) == "loopback"
    assert canary.visits == 1


async def test_a_port_of_another_protocol_is_refused_also_without_a_checked_url(resolver: Resolver) -> None:
    wire = Nobody()

    assert await refusal_of("http://outside.example:25/", NOBODY, resolver, dial=wire) == "port_not_allowed"
    assert wire.dialled == []


async def test_a_proxy_of_the_environment_is_not_used(
    canary: Canary, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{canary.port}")

    async with a_client(NOBODY, resolver) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get("http://169.254.169.254/latest/")

    assert refusal_in(caught.value) is not None
    assert await canary.visits_before_now() == 0


async def test_the_transport_stays_open_to_pytest_httpx(resolver: Resolver, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=201)

    assert (await get("https://outside.example/", NOBODY, resolver)).status_code == 201


async def test_a_name_without_an_address_is_no_refusal(resolver: Resolver, names: Names) -> None:
    names.answers["gone.example"] = [[]]

    with pytest.raises(httpx.ConnectError, match=r"gone\.example cannot be resolved") as caught:
        await get("https://gone.example/", NOBODY, resolver)

    assert refusal_in(caught.value) is None
