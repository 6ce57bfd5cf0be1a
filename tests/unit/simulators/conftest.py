from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from hookengine.simulators import Host


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Host], httpx.AsyncClient]]:
    """Opens in-process clients that send the token `t` as a bearer."""
    async with AsyncExitStack() as clients:

        def opened(simulator: Host) -> httpx.AsyncClient:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=simulator.app),
                base_url="http://host.test",
                headers={"Authorization": "Bearer t"},
            )
            clients.push_async_callback(client.aclose)
            return client

        yield opened
