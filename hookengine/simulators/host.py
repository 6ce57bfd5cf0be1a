"""The common frame of the stand-ins: it records requests, strikes with faults and remembers what is shown."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hookengine.simulators import control
from hookengine.simulators.credentials import token_of
from hookengine.simulators.faults import Choice, Drop, Fail, Faults, Hold
from hookengine.simulators.limits import Limit, Window
from hookengine.simulators.records import Place, Received, Reply, Shown

TRANSPORT = "hookengine.simulators.transport"
"""Key in an ASGI scope's state under which the server leaves the connection's transport."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def wall_clock() -> int:
    return time.time_ns() // 1_000_000


class Host(ABC):
    """A host that knows `tokens` and, when `commits` is given, no other commits than those.

    `clock` tells milliseconds since the epoch. A mapping of tokens says which user each belongs to;
    otherwise every token is a user of its own.
    """

    name: ClassVar[str]
    api: ClassVar[str] = ""
    """The path with which the addresses of its API begin."""
    schemes: ClassVar[Collection[str]] = ("bearer",)
    """After which words of an Authorization header a token stands, in lower case."""
    takes_basic: ClassVar[bool] = False
    """Whether a token may also be the password of Basic authentication."""
    usual_limit: ClassVar[Limit | None] = None
    """The documented one; None where there is none."""

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        self.tokens, self.commits, self.clock = tokens, commits, clock
        self.readers: Collection[str] = ()  # tokens that lack the scope to write
        self.faults = Faults()
        self._window: Window | None = None
        self._received: list[Received] = []
        self._shown: defaultdict[tuple[str, str], dict[str, tuple[Place, Shown]]] = defaultdict(dict)
        self._listening: set[asyncio.Queue[Received]] = set()
        self._held: set[asyncio.Future[Any]] = set()
        routes = [*control.routes(self), Route("/{path:path}", self._endpoint, methods=list(METHODS))]
        self.app: ASGIApp = Starlette(routes=routes)

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self._received)} received, {len(self.contexts())} shown>"

    @abstractmethod
    def answer(self, received: Received) -> Reply:
        """Do what the host does. It never awaits, so that two requests cannot mix."""

    def exclusive(self, _received: Received) -> AbstractAsyncContextManager[Reply | None]:
        """Entered while a request is being handled; gives a Reply when the host refuses to begin."""
        return nullcontext(None)

    def identity(self, place: Place) -> Place:
        """The same for places that are one to this host."""
        return place

    # Whom it serves

    def credential(self, received: Received) -> str:
        """The token a request carries; empty if there is none."""
        return token_of(received, schemes=self.schemes, basic=self.takes_basic)

    def forbidden(self) -> Reply:
        """What is answered to a token that may not write."""
        return Reply(status=403, body={"message": "Forbidden"})

    def enforce(self, limit: Limit | None = None) -> None:
        """From now on refuse what goes beyond `limit`, or beyond the usual one."""
        chosen = limit or self.usual_limit
        self._window = None if chosen is None else Window(chosen)

    def account(self, received: Received) -> str:
        """Whose requests are counted together."""
        return received.headers.get("authorization", "")

    def throttled(self, wait: int) -> Reply:
        """What is answered beyond the limit; `wait` is in whole seconds."""
        return Reply(status=429, body={"message": "Too Many Requests"}, headers={"Retry-After": str(wait)})

    # What came

    @property
    def received(self) -> list[Received]:
        """Every request to the host's API in order of arrival, with what is known of its answer by now."""
        return list(self._received)

    async def wait_for(self, predicate: Choice) -> Received:
        """The first request that satisfies `predicate`, earlier ones included.

        It is asked when a request arrives and again when it is answered or dropped.
        """
        news: asyncio.Queue[Received] = asyncio.Queue()
        for received in self._received:
            news.put_nowait(received)
        self._listening.add(news)
        try:
            while not predicate(received := await news.get()):
                pass
            return received
        finally:
            self._listening.discard(news)

    # What is shown

    def shown(self, repository: str, sha: str) -> dict[str, Shown]:
        """What people see on this commit, by context."""
        same = self.identity(Place(repository, sha, ""))
        return {entry.context: entry for _, entry in self._shown.get(same[:2], {}).values()}

    def contexts(self) -> Mapping[Place, Shown]:
        """Everything shown, keyed by (repository, sha, context)."""
        return {place: entry for commit in self._shown.values() for place, entry in commit.values()}

    def show(self, place: Place, *, state: str, description: str | None, url: str | None) -> None:
        repository, sha, context = self.identity(place)
        commit = self._shown[repository, sha]
        history = (*(commit[context][1].history if context in commit else ()), state)
        commit[context] = (
            place,
            Shown(context=place.context, state=state, description=description, url=url, history=history),
        )

    # Faults

    def fail_next(
        self,
        status: int,
        times: int = 1,
        where: Choice | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> None:
        """Answer the next requests with this status instead of working. A `str` body goes out as plain text."""
        self.faults.plan(Fail(status=status, headers=headers or {}, body=body), times=times, where=where)

    def delay_next(self, gate: asyncio.Event | float, times: int = 1, where: Choice | None = None) -> None:
        """Hold the next requests, their work not begun, until the event is set or the seconds are over."""
        self.faults.plan(Hold(gate=gate), times=times, where=where)

    def drop_next(self, applied: bool, times: int = 1, where: Choice | None = None) -> None:
        """Close the connection of the next requests without a byte of answer.

        Only a real connection can be closed (`serve`); in process the app raises ConnectionResetError.
        """
        self.faults.plan(Drop(applied=applied), times=times, where=where)

    def abandon(self) -> None:
        """Hang up on every request that is being held."""
        for held in self._held:
            held.cancel()

    # One request

    async def _endpoint(self, request: Request) -> Response:
        received = await self._arrival(request)
        hold, end = self.faults.take_hold(received), self.faults.take_end(received)
        watching = asyncio.ensure_future(self._watch(request, received.number))
        try:
            reply = await self._handled(received, hold, end)
        finally:
            watching.cancel()
        received = self._received[received.number - 1]
        if reply is None or isinstance(end, Drop):
            self._note(replace(received, dropped=True))
            return HangUp()
        self._note(replace(received, status=reply.status))
        kind = PlainTextResponse if isinstance(reply.body, str) else JSONResponse
        return kind(reply.body, reply.status, dict(reply.headers))

    async def _watch(self, request: Request, number: int) -> None:
        """Notes when the sender has stopped waiting."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._note(replace(self._received[number - 1], abandoned=True))

    async def _handled(self, received: Received, hold: Hold | None, end: Fail | Drop | None) -> Reply | None:
        # A failing proxy stands in front of the host: it takes no lock.
        lock = nullcontext() if isinstance(end, Fail) else self.exclusive(received)
        async with lock as refusal:
            if refusal is not None:
                return refusal
            if hold is not None and not await self._wait(hold.gate):
                return None
            return self._work(received, end)

    def _work(self, received: Received, end: Fail | Drop | None) -> Reply | None:
        match end:
            case Fail(status=status, headers=headers, body=None):
                return Reply(status=status, body={"message": _phrase(status)}, headers=headers)
            case Fail(status=status, headers=headers, body=body):
                return Reply(status=status, body=body, headers=headers)
            case Drop(applied=False):
                return None
        if received.method != "GET" and self.credential(received) in self.readers:
            return self.forbidden()
        wait = self._window.wait(self.account(received), received.at) if self._window else 0
        return self.throttled(wait) if wait else self.answer(received)

    async def _arrival(self, request: Request) -> Received:
        content = await request.body()
        received = Received(
            number=len(self._received) + 1,
            method=request.method,
            path=request.scope["raw_path"].decode("ascii", "replace"),
            query=request.url.query,
            headers={name: ", ".join(request.headers.getlist(name)) for name in request.headers},
            content=content,
            at=self.clock(),
        )
        self._received.append(received)
        self._announce(received)
        return received

    def _note(self, received: Received) -> None:
        self._received[received.number - 1] = received
        self._announce(received)

    def _announce(self, received: Received) -> None:
        for news in self._listening:
            news.put_nowait(received)

    async def _wait(self, gate: asyncio.Event | float) -> bool:
        """False when the simulator was told to abandon its requests first."""
        opening = asyncio.ensure_future(
            gate.wait() if isinstance(gate, asyncio.Event) else asyncio.sleep(gate)
        )
        self._held.add(opening)
        try:
            await asyncio.wait({opening})
            return not opening.cancelled()
        finally:
            opening.cancel()
            self._held.discard(opening)


class HangUp(Response):
    """No answer at all. Returning silently would make uvicorn answer 500, so the transport is aborted."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope.get("state", {}).get(TRANSPORT)
        if transport is None:
            raise ConnectionResetError("the simulated host closed the connection without an answer")
        transport.abort()
        # Only after the protocol has noticed does uvicorn take a missing answer without complaint.
        while (await receive())["type"] != "http.disconnect":
            pass


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
