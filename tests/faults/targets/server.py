"""A target on a real socket: HTTP/1.1 by hand, so that it can be as bad as hosts are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http.client import responses
from random import Random

from tests.faults.sockets import Listener
from tests.faults.targets.behaviour import HONEST, Behaviour, Rule
from tests.faults.targets.journal import Journal, now

LARGEST_HEAD = 256 * 1024
CONTROL = "/_control/"

Control = Callable[[str, bytes], Awaitable[str]]
"""Answers a request under CONTROL, given the rest of its path and its body."""


class HungUp(Exception):
    """The sender has gone."""


class TargetServer:
    """Lives in one event loop. Requests that no rule takes are taken and answered at once."""

    def __init__(self, journal: Journal, seed: int = 0, control: Control | None = None) -> None:
        self.journal = journal
        self.rules: list[Rule] = []
        self._control = control
        self._dice = Random(seed)  # noqa: S311  troubles, not secrets
        self._released = asyncio.Event()
        self._listener = Listener(self._serve, LARGEST_HEAD)

    async def open(self, port: int = 0) -> int:
        return self._listener.open(port)

    async def close(self) -> None:
        """Hangs up on everybody and refuses whoever comes, until it is opened again."""
        await self._listener.close()

    def release(self) -> None:
        """Let what waits without end be answered; what comes later waits again."""
        self._released.set()
        self._released = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, HungUp):
            while await self._exchange(reader, writer):
                pass

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow."""
        path, headers = await _head(reader)
        started_at = now()
        length = int(headers.get("content-length", "0"))
        if self._control is not None and path.startswith(CONTROL):
            said = await self._control(path.removeprefix(CONTROL), await reader.readexactly(length))
            writer.write(_answer(Behaviour(body=said)))
            return True
        rule = next((rule for rule in self.rules if self._wants_no_body(rule, path)), None)
        body = None if rule else await reader.readexactly(length)
        behaviour = rule.behaviour if rule else self._choose(path, body or b"")
        number = self.journal.came(path, headers, body, started_at)
        try:
            return await self._behave(behaviour, number, reader, writer)
        finally:
            self.journal.ended(number, None)

    def _wants_no_body(self, rule: Rule, path: str) -> bool:
        return not rule.behaviour.read and rule.takes(path, "", self._dice)

    def _choose(self, path: str, body: bytes) -> Behaviour:
        text = body.decode("utf-8", "replace")
        reading = (rule for rule in self.rules if rule.behaviour.read)
        return next((rule.behaviour for rule in reading if rule.takes(path, text, self._dice)), HONEST)

    async def _behave(
        self,
        behaviour: Behaviour,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        if behaviour.applies is not None:
            if behaviour.applies:
                asyncio.get_running_loop().call_later(behaviour.applies, self.journal.applied, number)
            else:
                self.journal.applied(number)
        await self._wait(behaviour.wait, reader)
        if behaviour.pieces:
            self.journal.ended(number, behaviour.status)
            await self._drip(behaviour, reader, writer)
            writer.close()
            return False
        if behaviour.status is None:
            return False
        self.journal.ended(number, behaviour.status)
        writer.write(_answer(behaviour))
        await writer.drain()
        if ("connection", "close") in behaviour.headers:
            writer.close()
        return not writer.is_closing()

    async def _drip(
        self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Piece by piece, until the sender has had enough."""
        pieces = list(behaviour.pieces)
        while pieces:
            piece = pieces.pop(0)
            writer.write(_bytes(piece))
            await writer.drain()
            await self._wait(behaviour.pace, reader)
            if not pieces and behaviour.endless:
                pieces.append(piece)

    async def _wait(self, seconds: float | None, reader: asyncio.StreamReader) -> None:
        """Raises HungUp if the sender goes away meanwhile."""
        if seconds == 0:
            return
        gone = asyncio.create_task(reader.read(1))
        released = asyncio.create_task(self._released.wait())
        awaited = {gone} if seconds is not None else {gone, released}
        try:
            done, _ = await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if gone in done:
                raise HungUp
        finally:
            gone.cancel()
            released.cancel()
            await asyncio.gather(gone, released, return_exceptions=True)


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The path, and the headers with lower-case names."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    _, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return path, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _answer(behaviour: Behaviour) -> bytes:
    status = behaviour.status or 200
    phrase = responses.get(status, "Whatever")
    body = _bytes(behaviour.body)
    lines = [f"HTTP/1.1 {status} {phrase}", "content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in behaviour.headers]
    return _bytes("\r\n".join(lines) + "\r\n\r\n") + body


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
