"""A look, before anything is sent, whether the fence stands in the way that requests take."""

from __future__ import annotations

import asyncio
import socket

from hookengine.domain.clock import Clock
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.pool import Pool
from hookengine.errors import HookEngineError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import Refused
from hookengine.guard.url import Target

_HOME = "127.0.0.1"
_PATIENCE = 1.0  # seconds


class FenceDown(HookEngineError):
    """A forbidden address was not refused. Nothing may be sent."""

    def __init__(self) -> None:
        super().__init__("the fence let a request out to a loopback address; nothing will be sent")


async def prove_fence(dialler: Dialler, clock: Clock) -> None:
    """Sends to a listener of ours under a policy that opens nothing. Raises FenceDown unless that is refused."""
    loop = asyncio.get_running_loop()
    with socket.create_server((_HOME, 0)) as canary:
        port = canary.getsockname()[1]
        target = Target(scheme="http", host=_HOME, port=port, path="/", is_literal=True)
        deadline = loop.time() + _PATIENCE
        exchange = Exchange(loop=loop, message=b"\r\n", deadline=deadline, excerpt=0)
        pool = Pool(dialler, AddressPolicy(), clock)
        try:
            await pool.run(exchange, target)
        except Refused:
            return
        except Exception as error:
            raise FenceDown from error
        finally:
            await pool.close()
    raise FenceDown
