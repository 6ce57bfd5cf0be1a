"""Connections that give up in time."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from hookengine.store import postgres_connection

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))  # seconds, seconds, times
_UNANSWERED: Final = 10_000  # milliseconds that bytes may go without being acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. A transaction whose node is silent for `idle` is undone by the server, so that the lanes it
    holds are free again. `answer` is how long this node waits for any one answer."""

    connect: float = 5.0
    statement: float = 4.0
    answer: float = 6.0
    lock: float = 2.0
    idle: float = 10.0


PATIENCE: Final = Patience()


async def connect(url: str, patience: Patience) -> asyncpg.Connection:
    """Raises one of `failures.DRIVER`."""
    connection = await postgres_connection.connect(
        url,
        timeout=patience.connect,
        command_timeout=patience.answer,
        statement_cache_size=512,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
        server_settings={"application_name": "hookengine"},
    )
    _watch(connection)
    return connection


async def leave(connection: asyncpg.Connection) -> None:
    """Close it, however it is."""
    try:
        await connection.close(timeout=1.0)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.CancelledError):
        connection.terminate()


def _watch(connection: asyncpg.Connection) -> None:
    """Let the kernel notice that the other side is gone; where it cannot, timeouts do."""
    transport: Any = getattr(connection, "_transport", None)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (*_KEEPALIVE, ("TCP_USER_TIMEOUT", _UNANSWERED)):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
