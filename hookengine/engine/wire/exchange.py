"""One request and what comes back, as far as it has come."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from hookengine.domain.attempt import Timing


class Gate:
    """What is told of a request on its way. This one lets everything out."""

    def before_write(self) -> None:
        """Nothing has been written so far."""

    def check(self) -> None:
        """Asked right before bytes are given to the system, in the same breath. Raises LeaseOver."""

    def after_write(self) -> None:
        """All bytes have been given to the system, or to the transport."""

    def after_answer(self) -> None:
        """The head of the answer is there."""


OPEN = Gate()

_TIMED = {"dns": "dns", "connect": "connect", "proxy": "connect", "tunnel": "connect", "tls": "tls"}
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(slots=True, eq=False, kw_only=True)
class Exchange:
    """`message` is the whole request in bytes; `deadline`, a time of the loop's clock, ends it in any state.

    At most `excerpt` bytes of the body are kept. `has_body` is False where the method wants none back (HEAD).
    """

    loop: asyncio.AbstractEventLoop
    message: bytes = field(repr=False)  # with secrets
    deadline: float
    excerpt: int
    connect_timeout: float = 5.0
    has_body: bool = True
    gate: Gate = OPEN

    written: bool = False  # bytes may have reached the target
    status: int = 0  # until there is an answer
    headers: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)  # which may echo them
    body: bytearray = field(default_factory=bytearray, repr=False)
    cut: bool = False  # the body went on, or broke
    step: str = ""  # what is under way: dns, connect (or proxy, then tunnel), tls, write, read

    done: bool = False
    ended: asyncio.Future[None] | None = None
    failure: BaseException | None = None

    address: str | None = None
    began: float = field(default_factory=time.monotonic)
    step_began: float = 0.0
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float = 0.0

    def enter(self, step: str) -> None:
        """The step before it is over. Steps before `write` are timed."""
        timed = _TIMED.get(self.step)
        if timed is not None:
            took = time.monotonic() - self.step_began
            setattr(self, timed, (getattr(self, timed) or 0.0) + took)
        if step in _TIMED:
            self.step_began = time.monotonic()
        self.step = step

    def hear(self) -> None:
        """The first byte of the answer is here. (uvloop's own time stands still while callbacks run.)"""
        self.first_byte = self.first_byte or time.monotonic()

    def end(self, failure: BaseException | None) -> None:
        """A failure does not take the status of an answer away."""
        if not self.status:
            self.failure = failure
        elif failure is not None:
            self.cut = True
        self.done = True
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(None)

    @property
    def ends_with_the_connection(self) -> bool:
        """Whether the answer does not say itself where it ends (RFC 9112, 6.3)."""
        return bool(self.status) and not any(name.lower() in _LENGTHS for name, _ in self.headers)

    @property
    def timing(self) -> Timing:
        return Timing(
            address=self.address,
            dns=None if self.dns is None else _millis(self.dns),
            connect=None if self.connect is None else _millis(self.connect),
            tls=None if self.tls is None else _millis(self.tls),
            first_byte=_millis(self.first_byte - self.began) if self.first_byte else None,
            total=_millis(time.monotonic() - self.began),
        )


def _millis(seconds: float) -> float:
    """With two decimals; `round` takes longer, as it goes by way of text."""
    return int(seconds * 100_000 + 0.5) / 100
