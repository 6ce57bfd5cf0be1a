from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any

import pytest

from hookengine.errors import ConfigError
from hookengine.web import server
from hookengine.web.server import LARGEST_HEAD, answering, listening


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_told_with_what_to_do() -> None:
    with listening("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match=r"another server\.port"):
        listening(*taken.getsockname())


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def answer_to(*parts: bytes) -> tuple[bytes, dict[str, Any]]:
    """The line and the JSON with which the connection is closed."""
    with listening("127.0.0.1", 0) as listener:
        async with answering(nobody, listener):  # type: ignore[arg-type]  # any application will do
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            with suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
    return head.partition(b"\r\n")[0], json.loads(body)


@pytest.mark.anyio
@pytest.mark.parametrize("begin", [b"GET /", b"GET / HTTP/1.1\r\nx: "])
async def test_a_head_without_an_end_is_refused(begin: bytes) -> None:
    line, told = await answer_to(begin, b"a" * LARGEST_HEAD)

    assert line == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert told == {"message": f"Line and headers of a request may have {LARGEST_HEAD} bytes at most."}


@pytest.mark.anyio
@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nx: "])
async def test_a_head_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(server, "SLOWEST_HEAD", 0.01)

    line, told = await answer_to(begin)

    assert line == b"HTTP/1.1 408 Request Timeout"
    assert told == {"message": "The headers did not arrive within 0.01 s."}


@pytest.mark.anyio
async def test_what_is_not_http_gets_an_error_in_the_usual_shape() -> None:
    line, told = await answer_to(b"HELLO\r\n\r\n")

    assert (line, told) == (b"HTTP/1.1 400 Bad Request", {"message": "Invalid HTTP request received."})


@pytest.mark.anyio
async def test_a_connection_takes_one_request_after_another() -> None:
    """However much their heads come to together."""
    request = b"GET / HTTP/1.1\r\nx: %s\r\n\r\n" % (b"a" * 1000)
    with listening("127.0.0.1", 0) as listener:
        async with answering(nobody, listener):  # type: ignore[arg-type]  # any application will do
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            for _ in range(100):
                writer.write(request[:20])
                writer.write(request[20:])
                assert b" 204 " in (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
            writer.close()
