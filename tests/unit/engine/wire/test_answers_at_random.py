"""Whatever bytes come, in whatever pieces, the reader neither fails nor takes more than it may."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.attempt import Answered, TimedOut, Unreachable
from hookengine.engine.wire.answer import LARGEST_HEAD, READ_AT_LEAST, AnswerReader
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken
from tests.faults.sockets import reset
from tests.unit.engine.targets import Talk, read_request, target
from tests.unit.engine.wire.conftest import a_rig

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


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
async def test_nothing_is_left_after_ten_thousand_mixed_outcomes() -> None:
    dice, kinds = random.Random(5), set[str]()  # noqa: S311  the same moods in every run

    async with a_rig() as rig, target(moody(dice)) as url:

        async def some(count: int) -> None:
            for number in range(count):
                sending = asyncio.create_task(rig.post(url, 0.05))
                if number % 50 == 0:
                    await asyncio.sleep(0)
                    sending.cancel()
                (outcome,) = await asyncio.gather(sending, return_exceptions=True)
                kinds.add(type(outcome).__name__)

        before = len(asyncio.all_tasks())
        await asyncio.gather(*(some(200) for _ in range(50)))
        assert rig.pool.open == rig.pool.idle <= 50
        await asyncio.sleep(0.1)  # the target's side of connections ends
        assert len(asyncio.all_tasks()) <= before + rig.pool.open

    assert {Answered.__name__, TimedOut.__name__, Unreachable.__name__} <= kinds
