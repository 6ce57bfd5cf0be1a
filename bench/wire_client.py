"""One client that posts for a while: python wire_client.py CLIENT IN_FLIGHT SECONDS SCHEME CA PORT...

CLIENT is sender, aiohttp or httpx. Prints JSON: requests a second, microseconds of CPU for each, and the
milliseconds that requests took. Each request has a URL of its own, 5 headers and a body of 600 bytes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

Post = Callable[[str], Awaitable[int]]
"""To a URL; the status of the answer."""

HEADERS = (
    ("Authorization", "Bearer ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("Accept", "application/vnd.github+json"),
    ("Content-Type", "application/json"),
    ("X-Action", "42"),
    ("webhook-id", "dlv_01JD0000000000000000000000"),
)
BODY = '{"state":"pending","description":"' + "x" * 564 + '"}'
PATIENCE = 30.0  # seconds
WARM = 0.5


@asynccontextmanager
async def sender(ca: str, in_flight: int) -> AsyncIterator[Post]:
    from hookengine.domain.attempt import Answered
    from hookengine.domain.clock import SystemClock
    from hookengine.domain.hook import Hook
    from hookengine.domain.request import RenderedRequest, SecretRef
    from hookengine.engine.sending import Sender
    from hookengine.engine.wire.dialling import Dialler
    from hookengine.engine.wire.pool import Pool
    from hookengine.engine.wire.tls import trusting
    from hookengine.guard.address import AddressPolicy
    from hookengine.guard.resolver import Resolver

    class Secrets:
        async def values(self, names: Collection[str], host: str, *, renew: bool = False) -> dict[str, str]:
            return {"secrets.host": HEADERS[0][1].removeprefix("Bearer ")}

        async def signing_secrets(self, hook: Hook, host: str) -> list[str]:
            return []

    clock, resolver, tls = (
        SystemClock(),
        Resolver(lambda _: ["127.0.0.1"]),
        trusting(Path(ca) if ca else None),
    )
    policy = AddressPolicy.parse(["127.0.0.0/8"], allow_hosts=["localhost"])
    pool = Pool(Dialler(resolver, lambda _: tls), policy, clock)
    sending = Sender(Secrets(), pool, clock)
    headers = (
        ("Authorization", ("Bearer ", SecretRef("secrets.host"))),
        *((name, (value,)) for name, value in HEADERS[1:4]),
    )

    async def post(url: str) -> int:
        request = RenderedRequest(method="POST", url=url, headers=headers, body=(BODY,))
        outcome = await sending.send(request, HEADERS[4:], PATIENCE, clock.ticks() + PATIENCE, "dlv_1")
        assert isinstance(outcome, Answered), outcome
        return outcome.status

    yield post
    await pool.close()
    resolver.close()


@asynccontextmanager
async def aiohttp(ca: str, in_flight: int) -> AsyncIterator[Post]:
    import aiohttp  # type: ignore[import-not-found,unused-ignore]

    tls = ssl.create_default_context(cafile=ca) if ca else True
    connector = aiohttp.TCPConnector(limit=512, ssl=tls)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=HEADERS) as session:

        async def post(url: str) -> int:
            async with session.post(url, data=BODY, allow_redirects=False) as answer:
                await answer.read()
                return int(answer.status)

        yield post


@asynccontextmanager
async def httpx(ca: str, in_flight: int) -> AsyncIterator[Post]:
    import httpx

    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    tls = ssl.create_default_context(cafile=ca) if ca else True
    async with httpx.AsyncClient(limits=limits, verify=tls, trust_env=False, timeout=PATIENCE) as client:

        async def post(url: str) -> int:
            return (await client.post(url, content=BODY, headers=HEADERS)).status_code

        yield post


CLIENTS = {each.__name__: each for each in (sender, aiohttp, httpx)}


async def load(post: Post, in_flight: int, seconds: float, urls: list[str]) -> list[float]:
    """The milliseconds that each request took."""
    took: list[float] = []
    stop = time.perf_counter() + seconds
    numbers = itertools.count()

    async def one_after_another() -> None:
        while (began := time.perf_counter()) < stop:
            number = next(numbers)
            status = await post(f"{urls[number % len(urls)]}/repos/acme/shop/statuses/{number:040x}")
            assert status == 204, status
            took.append((time.perf_counter() - began) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_another())
    return took


async def main() -> None:
    name, in_flight, seconds, scheme, ca, *ports = sys.argv[1:]
    urls = [f"{scheme}://localhost:{port}" for port in ports]
    async with CLIENTS[name](ca, int(in_flight)) as post:
        await load(post, int(in_flight), WARM, urls)
        began, cpu = time.perf_counter(), _cpu()
        took = await load(post, int(in_flight), float(seconds), urls)
        seconds_taken, cpu = time.perf_counter() - began, _cpu() - cpu
    figures = {"rate": len(took) / seconds_taken, "cpu": cpu / len(took) * 1e6, "took": took}
    print(json.dumps(figures))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    uvloop.run(main())
