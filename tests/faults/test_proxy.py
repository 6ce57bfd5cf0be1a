"""The proxy against a toy database: it answers each line with `did LINE`, and remembers what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.faults.proxy import Proxy


class Toy:
    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.news = threading.Condition()
        self.accepted = self.ends = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            for line in lines:
                with self.news:
                    self.asked.append(line)
                    self.news.notify_all()
                if line == b"RESET\n":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                assert self.may_answer.wait(60)
                connection.sendall(b"did " + line)
        with self.news:
            self.ends += 1
            self.news.notify_all()

    def wait_for(self, line: bytes) -> None:
        with self.news:
            assert self.news.wait_for(lambda: line in self.asked, timeout=60), f"never asked {line!r}"

    def wait_for_ends(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.ends >= count, timeout=60)


@pytest.fixture
def toy() -> Iterator[Toy]:
    toy = Toy()
    with closing(toy.listener):
        yield toy


@pytest.fixture
def proxy(toy: Toy) -> Iterator[Proxy]:
    with Proxy(toy.listener.getsockname()) as proxy:
        yield proxy


class Client:
    def __init__(self, proxy: Proxy) -> None:
        self.socket = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)

    def say(self, line: bytes) -> None:
        self.socket.sendall(line)

    def hear(self) -> bytes:
        return self.socket.recv(1000)

    def hears_nothing(self, seconds: float = 0.1) -> bool:
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1000) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Client]:
    with closing(Client(proxy)) as client:
        yield client


def ask(client: Client, line: bytes) -> bytes:
    client.say(line)
    return client.hear()


def test_bytes_pass_both_ways_and_so_does_the_end(proxy: Proxy, client: Client, toy: Toy) -> None:
    assert ask(client, b"SELECT\n") == b"did SELECT\n"

    client.socket.shutdown(socket.SHUT_WR)

    assert client.hear() == b""
    toy.wait_for_ends(1)
    assert proxy.connections == 1


def test_a_stall_holds_old_and_new_connections_until_it_is_over(
    proxy: Proxy, client: Client, toy: Toy
) -> None:
    assert ask(client, b"one\n") == b"did one\n"
    proxy.stall()
    client.say(b"two\n")
    with closing(Client(proxy)) as other:
        other.say(b"three\n")
        assert client.hears_nothing()
        assert other.hears_nothing()
        assert (toy.asked, toy.accepted) == ([b"one\n"], 1)

        proxy.let_pass()

        assert client.hear() == b"did two\n"
        assert other.hear() == b"did three\n"


def test_an_answer_is_held_back_too(proxy: Proxy, client: Client, toy: Toy) -> None:
    toy.may_answer.clear()
    client.say(b"one\n")
    toy.wait_for(b"one\n")
    proxy.stall()
    toy.may_answer.set()
    assert client.hears_nothing()

    proxy.let_pass()

    assert client.hear() == b"did one\n"


def test_a_cut_resets_what_is_connected_and_refuses_what_comes(
    proxy: Proxy, client: Client, toy: Toy
) -> None:
    assert ask(client, b"one\n") == b"did one\n"

    proxy.cut()

    with pytest.raises(ConnectionResetError):
        client.hear()
    with pytest.raises(ConnectionRefusedError):
        Client(proxy)
    toy.wait_for_ends(1)


def test_after_a_cut_the_same_port_passes_again(proxy: Proxy, client: Client) -> None:
    proxy.cut()
    proxy.let_pass()
    with closing(Client(proxy)) as other:
        assert ask(other, b"again\n") == b"did again\n"


def test_a_cut_ends_a_stall_for_good(proxy: Proxy, client: Client, toy: Toy) -> None:
    proxy.stall()
    client.say(b"lost\n")

    proxy.cut()

    with pytest.raises(ConnectionResetError):
        client.hear()
    assert toy.asked == []


def test_cut_after_lets_the_bytes_through_and_the_answer_not(proxy: Proxy, client: Client, toy: Toy) -> None:
    proxy.cut_after(b"COMMIT")
    assert ask(client, b"INSERT\n") == b"did INSERT\n"

    client.say(b"COMMIT\n")

    with pytest.raises(ConnectionResetError):
        client.hear()
    assert proxy.struck.wait(60)
    toy.wait_for(b"COMMIT\n")
    toy.wait_for_ends(1)


def test_bytes_are_recognised_where_two_reads_meet(proxy: Proxy, client: Client, toy: Toy) -> None:
    proxy.cut_after(b"COMMIT")
    client.say(b"x COM")
    assert client.hears_nothing(0.02)

    client.say(b"MIT\n")

    with pytest.raises(ConnectionResetError):
        client.hear()
    toy.wait_for(b"x COMMIT\n")


def test_cut_before_keeps_the_bytes_from_the_server(proxy: Proxy, client: Client, toy: Toy) -> None:
    proxy.cut_before(b"COMMIT")
    assert ask(client, b"INSERT\n") == b"did INSERT\n"

    client.say(b"COMMIT\n")

    with pytest.raises(ConnectionResetError):
        client.hear()
    toy.wait_for_ends(1)
    assert toy.asked == [b"INSERT\n"]


def test_a_snare_is_used_up(proxy: Proxy, client: Client) -> None:
    proxy.cut_after(b"COMMIT", times=2)
    for _ in range(2):
        with closing(Client(proxy)) as unlucky:
            unlucky.say(b"COMMIT\n")
            with pytest.raises(ConnectionResetError):
                unlucky.hear()

    assert ask(client, b"COMMIT\n") == b"did COMMIT\n"


def test_a_server_that_is_not_there_resets_the_client() -> None:
    with (
        Proxy(("127.0.0.1", 1)) as proxy,
        pytest.raises(ConnectionResetError),
        closing(Client(proxy)) as client,
    ):
        client.hear()


def test_a_server_that_resets_resets_the_client(client: Client) -> None:
    client.say(b"RESET\n")

    with pytest.raises(ConnectionResetError):
        client.hear()


def test_leaving_resets_what_is_open(toy: Toy) -> None:
    with Proxy(toy.listener.getsockname()) as proxy:
        client = Client(proxy)
        assert ask(client, b"one\n") == b"did one\n"

    with closing(client), pytest.raises(ConnectionResetError):
        client.hear()
