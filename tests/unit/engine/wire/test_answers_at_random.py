"""Whatever bytes come, in whatever pieces, the reader neither fails nor takes more than it may."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.engine.wire.answer import LARGEST_HEAD, READ_AT_LEAST, AnswerReader
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken
from tests.faults.sockets import reset
from tests.unit.engine.targets import Talk, read_request, target
from tests.unit.engine.wire.conftest import LONG, Rig, a_rig
from tests.unit.engine.wire.proxies import Tunneller, a_proxy, port_of

EXCERPT = 100
PIECES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 103 Early Hints\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.0 500 Oh\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 50000\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"X: \xff\xfe\r\n",
    b"\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nTrailer: x\r\n\r\n",
    b"a" * 20_000,
    b"\x00",
]

streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=25)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@given(stream=streams, cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=5))
def test_an_answer_of_any_bytes_stays_in_its_bounds(
    loop: asyncio.AbstractEventLoop, stream: list[bytes], cuts: list[int]
) -> None:
    data, reader = b"".join(stream), AnswerReader()
    exchange = Exchange(loop=loop, message=b"", deadline=0.0, excerpt=EXCERPT)
    reader.begin(exchange)
    failure, turn = None, 0

    while data and failure is None and not reader.complete and not reader.full:
        size = cuts[turn % len(cuts)]
        failure, data, turn = reader.feed(data[:size]), data[size:], turn + 1

    assert failure is None or isinstance(failure, Broken)
    assert len(exchange.body) <= EXCERPT
    assert sum(len(name) + len(value) for name, value in exchange.headers) <= LARGEST_HEAD
    assert exchange.status == 0 or 200 <= exchange.status < 1000
    assert not reader.complete or exchange.status
    assert not reader.full or exchange.status
    assert READ_AT_LEAST >= EXCERPT


def moody(dice: random.Random) -> Talk:
    """Each request is met with another mood."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader) is not None:
            mood = dice.randrange(8)
            if mood == 0:
                reset(writer)
                return
            if mood == 1:
                return
            if mood == 2:
                await reader.read()
                return
            if mood == 3:
                writer.write(b"SMTP\r\n")
            elif mood == 4:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
            await writer.drain()

    return talk


class MoodyProxy(Tunneller):
    """Some tunnels it refuses, some it forgets about."""

    def __init__(self, port: int, dice: random.Random) -> None:
        super().__init__(port)
        self._dice = dice

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mood = self._dice.randrange(20)
        if mood == 0:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
            await writer.drain()
        elif mood > 1:
            await super().__call__(reader, writer)


def files_open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def only_hooks(name: str) -> list[str]:
    return ["127.0.0.1"] if name == "hooks.example" else []


def somewhere(dice: random.Random, url: str) -> str:
    """Mostly there; sometimes to a name nobody knows, to a forbidden address, or with TLS to who speaks none."""
    named, secure = url.replace("127.0.0.1", "hooks.example"), url.replace("http:", "https:")
    ways = (url, named, "http://gone.example/", "http://10.0.0.1/", secure)
    return dice.choices(ways, (66, 20, 6, 6, 2))[0]


async def send_some(rig: Rig, url: str, dice: random.Random, count: int, deadline: float) -> set[str]:
    """One after another, one in fifty given up; what kinds of outcomes there were."""
    kinds = set()
    for number in range(count):
        sending = asyncio.create_task(rig.post(somewhere(dice, url), deadline))
        if number % 50 == 0:
            await asyncio.sleep(0)
            sending.cancel()
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)
        kinds.add(getattr(outcome, "code", "") or type(outcome).__name__)
    return kinds


async def send_many(count: int, deadline: float, *, tunnelled: bool) -> set[str]:
    """A hundred at a time."""
    dice, proxy = random.Random(5), None  # noqa: S311  the same moods in every run
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(target(moody(dice)))
        if tunnelled:
            proxy = await stack.enter_async_context(a_proxy(MoodyProxy(port_of(url), dice)))
        async with a_rig(lookup=only_hooks, proxy=proxy) as rig:
            kinds = await asyncio.gather(
                *(send_some(rig, url, dice, count // 100, deadline) for _ in range(100))
            )
            assert rig.pool.open == rig.pool.idle <= 200
    return set[str]().union(*kinds)


SHORT, LONGER = 0.3, 0.8  # seconds that a request may take; if all do, there are not all kinds of outcomes
UVLOOP, ASYNCIO = (("asyncio", {"use_uvloop": use}) for use in (True, False))
KINDS = {"Answered", "TimedOut", "Blocked", "CancelledError", "closed", "garbage", "dns_no_address"}


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("anyio_backend", "tunnelled", "count", "deadline"),
    [
        (UVLOOP, False, 10_000, SHORT),
        (UVLOOP, True, 1_000, LONGER),
        (ASYNCIO, False, 1_000, LONGER),
        (ASYNCIO, True, 1_000, LONGER),
    ],
)
async def test_nothing_is_left_after_ten_thousand_mixed_outcomes(
    tunnelled: bool, count: int, deadline: float
) -> None:
    await send_many(100, deadline, tunnelled=tunnelled)
    files, tasks = files_open(), asyncio.all_tasks()

    kinds = await send_many(count, deadline, tunnelled=tunnelled)

    assert kinds >= KINDS | ({"proxy_failed", "proxy_closed"} if tunnelled else {"reset"})
    if left := asyncio.all_tasks() - tasks:  # the far ends of connections
        _, for_ever = await asyncio.wait(left, timeout=LONG)
        assert not for_ever
    async with asyncio.timeout(LONG):
        while files_open() > files:  # noqa: ASYNC110  what was closed is gone a few turns later
            await asyncio.sleep(0)
