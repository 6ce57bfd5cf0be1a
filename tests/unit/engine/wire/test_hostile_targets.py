"""Whatever a target does, there is an outcome within the deadline, and the next request is not held up."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from hookengine.domain.attempt import Answered, Outcome, TimedOut, Unreachable
from tests.faults.sockets import reset
from tests.unit.engine.targets import Heard, Talk, answering, dripping, silent, target
from tests.unit.engine.wire.conftest import Rig, a_rig

pytestmark = pytest.mark.anyio

SOON = 0.3  # seconds: a deadline that is waited for
SLACK = 10.0  # seconds that a busy machine may take longer


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with a_rig(manners={"response_excerpt": 1000}) as rig:
        yield rig


async def then_healthy(rig: Rig) -> None:
    """Nothing of the request before is in the way of the next one."""
    async with target(Heard()) as url:
        assert await rig.post(url) == Answered(status=204)


OK = b"HTTP/1.1 200 OK\r\n"
LATE = TimedOut(phase="read", seconds=SOON, written=True)


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (silent, LATE),
        (dripping(b"", b"H"), Unreachable(reason="", written=True)),
        (dripping(OK, b"x: 1\r\n"), LATE),
        (dripping(OK + b"x: ", b"1"), LATE),
        (dripping(b"", b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"), LATE),
        (dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b""), LATE),
        (dripping(OK + b"Content-Length: 10000000000\r\n\r\n", b"a"), Answered(status=200)),
        (dripping(OK + b"\r\n", b"a"), Answered(status=200)),
        (dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"), Answered(status=200)),
    ],
)
async def test_what_drips_ends_with_the_deadline(rig: Rig, talk: Talk, expected: Outcome) -> None:
    began = asyncio.get_running_loop().time()

    async with target(talk) as url:
        outcome = await rig.post(url, SOON)

    assert asyncio.get_running_loop().time() - began < SOON + SLACK
    assert type(outcome) is type(expected)
    if isinstance(outcome, Answered):
        assert outcome.status == 200
        assert set(outcome.body) <= {"a"}
    elif isinstance(outcome, TimedOut):
        assert outcome == expected
    await then_healthy(rig)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 2", "closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "garbage"),
        (b"\x00\xff" * 50, "garbage"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "garbage"),
        (b"RTSP/1.0 200 OK\r\n\r\n", "garbage"),
        (b"HTTP/1.1 099 Odd\r\n\r\n", "garbage"),
        (b"HTTP/1.1 999999 Odd\r\n\r\n", "garbage"),
        (OK + b"A: b\r\n c\r\n\r\n", "garbage"),
        (OK + b"A b: c\r\n\r\n", "garbage"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", "garbage"),
        (OK + b"Content-Length: -2\r\n\r\nab", "garbage"),
        (OK + b"Content-Length: 99999999999999999999999\r\n\r\nab", "garbage"),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "garbage"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
            "switched_protocols",
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "switched_protocols"),
        (OK + b"A: " + b"b" * 40_000 + b"\r\n\r\n", "head_too_large"),
        (OK + b"A: bbbbb\r\n" * 4_000 + b"\r\n", "head_too_large"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" * 1_000, "head_too_large"),
    ],
)
async def test_what_is_no_answer_has_a_code_of_its_own(rig: Rig, said: bytes, code: str) -> None:
    async with target(answering(said)) as url:
        outcome = await rig.post(url)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == (code, True)
    assert outcome.timing is not None
    assert outcome.timing.address == "127.0.0.1"
    await then_healthy(rig)


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (OK + b"X: " + "é".encode("latin-1") + b"\r\nContent-Length: 2\r\n\r\nab", 200, "ab"),
        (OK + b"A: b\r\n" * 300 + b"Content-Length: 2\r\n\r\nab", 200, "ab"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab", 200, "ab"),
        (b"HTTP/1.0 200 OK\r\n\r\nab", 200, "ab"),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999, ""),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nlink: a\r\n\r\n"
            + OK
            + b"Content-Length: 2\r\n\r\nab",
            200,
            "ab",
        ),
        (OK + b"Content-Length: 2\r\n\r\nabHTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx", 200, "ab"),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nabcd", 200, "ab"),
        (OK + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nab", 200, "ab"),
        (OK + b"Content-Length: 100\r\n\r\nab", 200, "ab"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n", 200, "ab"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", 200, "ab"),
        (OK + b"Content-Encoding: br\r\nContent-Type: text/x; charset=nonsense\r\n\r\nab", 200, "ab"),
        (b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nab", 204, ""),
    ],
)
async def test_a_status_counts_whatever_follows(rig: Rig, said: bytes, status: int, body: str) -> None:
    async with target(answering(said)) as url:
        outcome = await rig.post(url)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body) == (status, body)
    await then_healthy(rig)


@pytest.mark.parametrize("encoding", [b"", b"Content-Encoding: gzip\r\n"])
async def test_of_an_endless_body_only_the_beginning_is_read(rig: Rig, encoding: bytes) -> None:
    sent = 0
    bomb = gzip.compress(bytes(10_000_000))[:9_000] if encoding else b"a" * 9_000

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + encoding + b"Content-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(bomb)
            await writer.drain()
            sent += len(bomb)

    async with target(flood) as url:
        outcome = await rig.post(url)

    assert isinstance(outcome, Answered)
    assert outcome.status == 200
    assert len(outcome.body) <= 1000
    assert sent < 20_000_000  # what fits in the sockets' buffers
    await then_healthy(rig)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"])
async def test_a_target_that_stops_reading_is_heard_if_it_says_why(rig: Rig, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not answer:
            writer.transport.abort()
        else:
            await asyncio.Event().wait()

    async with target(talk) as url:
        outcome = await rig.post(url, body=("x" * 8_000_000,))

    if answer:
        assert outcome == Answered(status=413, body="no")
    else:
        assert isinstance(outcome, Unreachable)
        assert (outcome.code, outcome.written) == ("reset", True)
    await then_healthy(rig)


async def test_a_target_that_never_reads_is_left_at_the_deadline(rig: Rig) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with target(deaf) as url:
        outcome = await rig.post(url, SOON, body=("x" * 20_000_000,))

    assert outcome == TimedOut(phase="write", seconds=SOON, written=True)
    await then_healthy(rig)


async def test_nothing_of_a_large_request_is_lost_or_swapped(rig: Rig) -> None:
    heard = Heard()
    body = "".join(f"{number:08x}" for number in range(500_000))

    async with target(heard) as url:
        assert await rig.post(url, body=(body,)) == Answered(status=204)

    assert heard.requests[0].body == body.encode()


async def test_the_answer_to_head_has_no_body(rig: Rig) -> None:
    async with target(Heard(OK + b"Content-Length: 100\r\n\r\n")) as url:
        assert await rig.post(url, method="HEAD", body=None) == Answered(status=200)
    await then_healthy(rig)


async def test_a_reset_before_the_answer_is_in_doubt(rig: Rig) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    async with target(talk) as url:
        outcome = await rig.post(url)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == ("reset", True)
    await then_healthy(rig)


@pytest.mark.parametrize(
    ("said", "status"),
    [(OK + b"Content-Length: 100\r\n\r\nab", 200), (OK + b"Content-Le", 0), (b"HTTP/1.1 2", 0)],
)
async def test_a_reset_in_the_midst_of_an_answer_takes_no_status_away(
    rig: Rig, said: bytes, status: int
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        for _ in range(10):  # rounds of the loop, in which what has arrived is read
            await asyncio.sleep(0)
        reset(writer)

    async with target(talk) as url:
        outcome = await rig.post(url)

    if status:
        assert outcome == Answered(status=status, body="ab")
    else:
        assert isinstance(outcome, Unreachable)
        assert (outcome.code, outcome.written) == ("reset", True)
    await then_healthy(rig)
