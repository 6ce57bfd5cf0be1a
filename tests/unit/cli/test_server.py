"""Asking a server over HTTP, and what is told when there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hookengine.cli.failing import Misused, Unreachable
from hookengine.cli.server import Server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class FarEnd:
    """Takes one connection, answers it with some bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = b""
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while b"\r\n\r\n" not in self.received:
                self.received += connection.recv(65536)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@contextmanager
def far_end(answer: bytes = OK) -> Iterator[FarEnd]:
    there = FarEnd(answer)
    yield there
    there.close()


def test_the_token_goes_in_a_header_and_a_path_of_the_address_is_kept() -> None:
    with far_end() as there:
        answer = Server(f"{there.url}/engine/", "hke_x").ask("GET", "/api/deliveries?limit=5", None)

    lines = there.received.decode().split("\r\n")
    assert answer == (200, b"{}")
    assert lines[0] == "GET /engine/api/deliveries?limit=5 HTTP/1.1"
    assert "authorization: Bearer hke_x" in lines


def test_a_redirect_is_not_followed() -> None:
    with far_end(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n") as there:
        assert Server(there.url).ask("GET", "/", None).status == 302


def test_no_server_is_told_with_what_to_do() -> None:
    with pytest.raises(Unreachable) as raised:
        Server("http://127.0.0.1:1").ask("GET", "/", None)
    assert raised.value.lines[0] == "no hookengine at http://127.0.0.1:1: Connection refused"
    assert "hookengine serve" in raised.value.lines[1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "Remote end closed connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "does not speak HTTP"),
    ],
)
def test_what_does_not_answer_as_http_says_is_no_server(answer: bytes, said: str) -> None:
    with far_end(answer) as there, pytest.raises(Unreachable) as raised:
        Server(there.url).ask("GET", "/", None)
    assert said in raised.value.lines[0]


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8730",
        "ftp://there",
        "http://there:port",
        "http://there:99999",
        "http://",
        "http://me:secret@there",
        "http://there/?a=b",
        "there",
        "",
    ],
)
def test_an_address_that_is_none_is_a_wrong_usage(url: str) -> None:
    with pytest.raises(Misused, match="no server's address"):
        Server(url)


@pytest.mark.parametrize("token", ["two\nlines", "with space", "ünïcode"])
def test_what_cannot_be_a_token_is_not_sent_as_one(token: str) -> None:
    with pytest.raises(Misused, match="visible ASCII"):
        Server("http://there", token)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    with far_end() as there:
        assert Server(there.url).ask("GET", "/", None).status == 200
