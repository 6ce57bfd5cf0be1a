from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hookengine.domain.attempt import Outcome
from hookengine.engine.sending import Manners, Sender
from hookengine.engine.wire.dialling import Contexts, Dialler
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.proxy import Proxy
from hookengine.engine.wire.tls import trusting
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import Dial, dial
from hookengine.guard.resolver import Lookup, Resolver
from tests.conftest import Clock, make_request

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8"])
LONG = 30.0  # seconds, of which none is waited for


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


usual = functools.cache(trusting)  # takes tens of milliseconds


class NoSecrets:
    async def values(self, names: Collection[str], host: str) -> dict[str, str]:
        return {}


def here(name: str) -> Sequence[str]:
    """Every name is this machine's."""
    return ["127.0.0.1"]


@dataclass(frozen=True)
class Rig:
    """A pool, and who sends over it."""

    pool: Pool
    sender: Sender
    clock: Clock

    async def post(self, url: str, deadline: float = LONG, **changes: Any) -> Outcome:
        async with asyncio.timeout(LONG):
            return await self.sender.send(make_request(url=url, **changes), (), deadline)


@asynccontextmanager
async def a_rig(
    *,
    policy: AddressPolicy = LOOPBACK,
    lookup: Lookup = here,
    tls: ssl.SSLContext | Contexts | None = None,
    dial: Dial = dial,
    proxy: Proxy | None = None,
    manners: Mapping[str, Any] | None = None,
) -> AsyncIterator[Rig]:
    """Afterwards no connection is left."""
    clock, resolver, context = Clock(), Resolver(lookup, timeout=1.0), tls or usual()
    contexts = (lambda _: context) if isinstance(context, ssl.SSLContext) else context
    pool = Pool(Dialler(resolver, contexts, dial, proxy), policy, clock)
    try:
        yield Rig(pool, Sender(NoSecrets(), pool, clock, Manners(**(manners or {}))), clock)
    finally:
        await pool.close()
        resolver.close()
    assert (pool.open, pool.idle) == (0, 0)
