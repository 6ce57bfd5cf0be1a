"""A target that notes when each commit status arrived: python sink.py

Prints its port. Answers 204 to every request; `GET /arrivals` returns {commit: nanoseconds of the monotonic
clock} and forgets them.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import cast

import httptools
import uvloop

ARRIVALS: dict[str, int] = {}


class Sink(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_message_complete(self) -> None:
        if self._path == b"/arrivals":
            told = json.dumps(ARRIVALS).encode()
            ARRIVALS.clear()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            return
        ARRIVALS.setdefault(self._path.rpartition(b"/")[2].decode(), time.monotonic_ns())
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
