"""The lease is looked at, and then bytes leave: nothing comes between the two, not even the loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hookengine.engine.wire.exchange import Exchange, Gate
from hookengine.engine.wire.tls import trusting
from hookengine.guard.url import check_url
from tests.unit.engine.wire.certificates import Authority
from tests.unit.engine.wire.conftest import LONG, LOOPBACK, a_rig

pytestmark = pytest.mark.anyio

REQUEST = b"POST / HTTP/1.1\r\nHost: hooks.example\r\nContent-Length: 2\r\n\r\nok"


class Waiting(Gate):
    """Stops the loop, right after the write, until the target has the request."""

    def __init__(self, arrived: threading.Event) -> None:
        self.arrived = arrived
        self.came = False

    def after_write(self) -> None:
        self.came = self.arrived.wait(60)


@contextmanager
def listening(arrived: threading.Event, tls: ssl.SSLContext | None) -> Iterator[int]:
    """Serves one connection in a thread."""

    def serve() -> None:
        accepted, _ = server.accept()
        with tls.wrap_socket(accepted, server_side=True) if tls else accepted as stream:
            if stream.recv(65536) == REQUEST:
                arrived.set()
            stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            stream.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_bytes_leave_in_the_call_that_looked_at_the_lease(
    scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    server = authority.server("hooks.example") if scheme == "https" else None
    gate = Waiting(threading.Event())
    loop = asyncio.get_running_loop()

    with listening(gate.arrived, server) as port:
        async with a_rig(tls=trusting(authority.file)) as rig:
            target = check_url(f"{scheme}://hooks.example:{port}/", LOOPBACK)
            exchange = Exchange(
                loop=loop, message=REQUEST, deadline=loop.time() + LONG, excerpt=10, gate=gate
            )
            await rig.pool.run(exchange, target)

    assert gate.came
    assert exchange.status == 204
