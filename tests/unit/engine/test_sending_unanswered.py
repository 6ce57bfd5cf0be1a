"""Where nothing comes back, the outcome says whether bytes had left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hookengine.domain.attempt import Answered, Outcome, TimedOut, Unknown, Unreachable
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken, Late
from hookengine.engine.wire.pool import Pool
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import Resolver
from hookengine.guard.url import Target
from tests.unit.engine.senders import LONG, SECRET, SHORT, MakeSender, post, with_secret
from tests.unit.engine.targets import answering, silent, target

pytestmark = pytest.mark.anyio


@pytest.fixture
async def unused_tcp_port_of_ours() -> int:
    """Was ours a moment ago: nobody listens there."""
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_closed_port_is_unreachable_and_nothing_was_written(
    sender: MakeSender, unused_tcp_port_of_ours: int
) -> None:
    outcome = await post(sender(), f"http://127.0.0.1:{unused_tcp_port_of_ours}/")

    assert isinstance(outcome, Unreachable)
    assert not outcome.written


async def test_a_handshake_that_fails_is_unreachable_and_nothing_was_written(sender: MakeSender) -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with target(no_tls) as url:
        outcome = await post(sender(), url.replace("http://", "https://"))

    assert isinstance(outcome, Unreachable)
    assert not outcome.written


async def test_a_handshake_that_never_ends_times_out_unwritten(sender: MakeSender) -> None:
    async with target(silent) as url:
        outcome = await post(sender(connect_timeout=SHORT), url.replace("http://", "https://"))

    assert isinstance(outcome, TimedOut)
    assert (outcome.phase, outcome.written) == ("tls", False)


async def test_a_deadline_that_comes_while_connecting_leaves_nothing_written(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(self: Resolver, host: str) -> list[IPAddress]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Resolver, "resolve", endless)

    outcome = await post(sender(connect_timeout=LONG), "http://slow.example/", deadline=SHORT)

    assert outcome == TimedOut(phase="dns", seconds=SHORT, written=False)


async def test_a_target_that_never_answers_times_out_written(sender: MakeSender) -> None:
    async with target(silent) as url:
        outcome = await post(sender(), url, deadline=0.3)

    assert outcome == TimedOut(phase="read", seconds=0.3, written=True)


async def test_a_body_that_stalls_does_not_take_the_status_away(sender: MakeSender) -> None:
    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nthe beginning")
        await silent(reader, writer)

    async with target(stalling) as url:
        outcome = await post(sender(), url, deadline=0.3)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body) == (201, "the beginning")


async def test_an_answer_that_drips_does_not_outlast_the_deadline(sender: MakeSender) -> None:
    async with target(answering(b"HTTP/1.1 200 OK\r\n", for_ever=b"x-more: and more\r\n")) as url:
        outcome = await post(sender(), url)

    assert isinstance(outcome, Unreachable)
    assert outcome.written


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\xff" * 50, b"HTTP/1.1 999999 No\r\n\r\n"]
)
async def test_garbage_and_silence_are_unreachable_and_in_doubt(sender: MakeSender, said: bytes) -> None:
    async with target(answering(said)) as url:
        outcome = await post(sender({"secrets.host": SECRET}), url, **with_secret())

    assert isinstance(outcome, Unreachable)
    assert outcome.written
    assert SECRET not in outcome.reason


async def test_a_reset_in_the_middle_of_a_request_is_in_doubt(sender: MakeSender) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async with target(reset) as url:
        outcome = await post(sender(), url, body=("x" * 5_000_000,))

    assert isinstance(outcome, Unreachable)
    assert outcome.written


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (Broken("refused", "no"), Unreachable(reason="no", code="refused")),
        (RuntimeError(SECRET), Unreachable(reason="runtime error", code="mistake")),
        (Late("connect"), TimedOut(phase="connect", seconds=LONG)),
    ],
)
async def test_every_failure_becomes_an_outcome_that_knows_whether_bytes_left(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: Outcome, written: bool
) -> None:
    async def failing(self: Pool, exchange: Exchange, target: Target) -> None:
        exchange.written = written
        exchange.deadline = exchange.loop.time()
        raise raised

    monkeypatch.setattr(Pool, "run", failing)

    outcome = await post(sender({"secrets.host": SECRET}), "https://target.example/", **with_secret())

    assert outcome == replace(expected, written=written)  # type: ignore[type-var]


async def test_what_is_cut_off_knows_whether_bytes_had_left(sender: MakeSender) -> None:
    heard = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await reader.read()

    async with target(listen) as url:
        sending = asyncio.create_task(post(sender(), url))
        await heard.wait()
        sending.cancel()
        outcome = await sending

    assert outcome == Unknown(reason="the engine was stopped while sending")
