"""Looking up names without letting a slow or hostile DNS hold the engine.

`getaddrinfo` cannot be interrupted, and on asyncio's own threads a few hanging names would stop every other
look-up; so it has its own threads here, and a name can take two of them at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from hookengine.guard.hostname import IPAddress

LOOKUPS_PER_NAME = 2
REMEMBERED_FAILURES = 1024

# What `socket.gaierror` says that is no failure of the DNS itself.
_CODES = {socket.EAI_NONAME: "dns_not_found"}
with contextlib.suppress(AttributeError):  # not every system knows it
    _CODES[socket.EAI_NODATA] = "dns_no_address"

Lookup = Callable[[str], Sequence[str]]
"""Blocks until a name's addresses are known; whatever it raises is a failed look-up."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there are no addresses. `code` is stable: `dns_not_found`, `dns_no_address`, `dns_timeout`, `dns_failed`."""

    code: str
    why: str


Answer = tuple[IPAddress, ...] | NoAnswer


class LookupFailed(Exception):
    """The name has no address now. This says nothing about whether it may be called: try again later."""

    def __init__(self, name: str, failure: NoAnswer) -> None:
        super().__init__(f"{name} cannot be resolved: {failure.why}")
        self.code = failure.code

    @property
    def timed_out(self) -> bool:
        return self.code == "dns_timeout"


def system_lookup(name: str) -> list[str]:
    """As the machine resolves, in the order of RFC 6724; a name can raise UnicodeError here, not only OSError."""
    return [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


class Resolver:
    """Belongs to one asyncio event loop. Answers are not cached, failures for `negative_seconds`.

    Callers that ask for a name while it is looked up share that look-up. One that outlives `timeout` is
    abandoned: its thread stays taken until the system gives up, and later callers start another.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        timeout: float = 5.0,
        negative_seconds: float = 10.0,
        threads: int = 128,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup, self._timeout = lookup, timeout
        self._negative_seconds, self._monotonic = negative_seconds, monotonic
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hookengine-dns")
        self._flights: dict[str, asyncio.Future[Answer]] = {}
        self._running: Counter[str] = Counter()
        self._failures: dict[str, tuple[float, NoAnswer]] = {}

    async def resolve(self, name: str) -> tuple[IPAddress, ...]:
        """At least one address, none twice; not judged. Raises LookupFailed."""
        self._recall_failure(name)
        flight = self._flights.get(name) or self._launch(name)
        # asyncio.wait leaves the look-up alone when this caller gives up or is cancelled: others may share it.
        await asyncio.wait({flight}, timeout=self._timeout)
        if not flight.done():
            self._forget_flight(name, flight)
            late = NoAnswer("dns_timeout", f"no answer within {self._timeout:g} s")
            self._remember_failure(name, late)
            raise LookupFailed(name, late)
        answer = flight.result()
        if isinstance(answer, NoAnswer):
            raise LookupFailed(name, answer)
        return answer

    def close(self) -> None:
        """Does not wait for look-ups that hang; whoever waits for one still gets its timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _launch(self, name: str) -> asyncio.Future[Answer]:
        if self._running[name] >= LOOKUPS_PER_NAME:
            why = "earlier look-ups of it are still unanswered"
            raise LookupFailed(name, NoAnswer("dns_timeout", why))
        loop = asyncio.get_running_loop()
        flight: asyncio.Future[Answer] = loop.create_future()
        work = self._threads.submit(_ask, self._lookup, name)
        self._flights[name] = flight
        self._running[name] += 1

        def tell_the_loop(work: Future[Answer]) -> None:
            # A look-up may end after its loop was closed; then nobody is left to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(functools.partial(self._land, name, flight, work))

        work.add_done_callback(tell_the_loop)
        return flight

    def _land(self, name: str, flight: asyncio.Future[Answer], work: Future[Answer]) -> None:
        self._running -= Counter({name: 1})
        self._forget_flight(name, flight)
        answer = _answer_of(work)
        if isinstance(answer, NoAnswer):
            self._remember_failure(name, answer)
        else:
            self._failures.pop(name, None)
        if not flight.done():
            flight.set_result(answer)

    def _forget_flight(self, name: str, flight: asyncio.Future[Answer]) -> None:
        if self._flights.get(name) is flight:
            del self._flights[name]

    def _remember_failure(self, name: str, failure: NoAnswer) -> None:
        self._failures.pop(name, None)
        while len(self._failures) >= REMEMBERED_FAILURES:
            del self._failures[next(iter(self._failures))]
        self._failures[name] = (self._monotonic() + self._negative_seconds, failure)

    def _recall_failure(self, name: str) -> None:
        remembered = self._failures.get(name)
        if remembered is None:
            return
        until, failure = remembered
        if self._monotonic() < until:
            raise LookupFailed(name, failure)
        del self._failures[name]


def _ask(lookup: Lookup, name: str) -> Answer:
    addresses = dict.fromkeys(ipaddress.ip_address(text) for text in lookup(name))
    return tuple(addresses) or NoAnswer("dns_no_address", "it has no address")


def _answer_of(work: Future[Answer]) -> Answer:
    """What the look-up raised is an answer too: getaddrinfo raises UnicodeError for names such as `a..b`."""
    if work.cancelled():
        return NoAnswer("dns_failed", "the resolver was closed")
    error = work.exception()
    if error is None:
        return work.result()
    known = _CODES.get(error.errno or 0) if isinstance(error, socket.gaierror) else None
    return NoAnswer(known or "dns_failed", f"{type(error).__name__}: {error}")
