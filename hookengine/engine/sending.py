"""One request out, one outcome back. Whatever a target does, it ends here as an outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address

from hookengine.domain.attempt import Answered, Blocked, Outcome, TimedOut, Unknown, Unreachable
from hookengine.domain.capture import CaptureMissing
from hookengine.domain.clock import Clock
from hookengine.domain.hook import Hook
from hookengine.domain.request import RenderedRequest
from hookengine.engine.binding import Binder, Bound, Secrets
from hookengine.engine.wire.exchange import Exchange, Gate
from hookengine.engine.wire.failures import Broken, Late, LeaseOver
from hookengine.engine.wire.message import UnfitError, message_of
from hookengine.engine.wire.pool import Pool
from hookengine.errors import StoreError
from hookengine.failpoints import ARMED, reach
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import Refused
from hookengine.guard.signing import UnfitSecret
from hookengine.guard.url import Target, check_url
from hookengine.guard.vault import SecretMissing, SecretRefused, scrub

UNAUTHORIZED = 401
LONGEST_READ = 256 * 1024
"""Bytes of an answer that something is to be taken from."""
_KEPT_HEADERS = frozenset(
    {b"content-type", b"location", b"retry-after", b"date", b"x-request-id", b"x-github-request-id"}
)
_KEPT_KINDS = b"ratelimit-", b"x-ratelimit-"


class NotBegun(Exception):
    """No byte was sent, and it is not the target's fault: the delivery may be given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How we behave towards targets. `response_excerpt` is how many bytes of an answer are kept."""

    connect_timeout: float = 5.0
    response_excerpt: int = 16 * 1024
    user_agent: str = "hookengine"


class Sender:
    def __init__(self, secrets: Secrets, pool: Pool, clock: Clock, manners: Manners = Manners()) -> None:
        self._binder = Binder(secrets, clock)
        self._pool = pool
        self._clock = clock
        self._manners = manners
        self._usual = (("user-agent", manners.user_agent), ("accept-encoding", "identity"))

    async def send(
        self,
        request: RenderedRequest,
        headers: Sequence[tuple[str, str]],
        deadline: float,
        stop: float = float("inf"),
        subject: str = "",
        hook: Hook | None = None,
    ) -> Outcome:
        """`headers` go with the request's own, which is signed if its `hook` says so; `deadline` is how many
        seconds it may take until the last byte.

        No byte leaves after `stop`, a time of the clock's ticks. `subject` names it to fail-points. Raises
        NotBegun, and CancelledError only if no byte has left.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline
        policy = self._pool.policy
        try:
            target = check_url(request.url, policy)
            names = request.secrets
            if names and target.scheme != "https":
                _check_plain(target, policy)
            bound = await self._binder.bind(request, names, target.host, headers, hook)
            message = message_of(request.method, target, bound.headers, bound.body, self._usual)
        except (Refused, SecretRefused, UnfitError, CaptureMissing) as error:
            return Blocked(reason=str(error))
        except (SecretMissing, UnfitSecret, StoreError) as error:
            return Blocked(reason=str(error), passing=True)
        except ValueError:  # its text would quote the request
            return Blocked(reason="the request holds characters that cannot be sent")
        excerpt = self._manners.response_excerpt
        if request.capturing is not None and request.capturing.takes:
            excerpt = max(excerpt, LONGEST_READ)
        exchange = Exchange(
            loop=loop,
            message=message,
            deadline=ends,
            excerpt=excerpt,
            connect_timeout=self._manners.connect_timeout,
            has_body=request.method != "HEAD",
            gate=_GATE(self._clock, stop, subject),
        )
        outcome = await self._outcome(exchange, target, deadline, bound)
        if isinstance(outcome, Answered) and outcome.status == UNAUTHORIZED:
            renewed = await self._binder.is_renewed(target.host, bound)
            return replace(outcome, renewed=renewed)
        return outcome

    async def _outcome(self, exchange: Exchange, target: Target, deadline: float, bound: Bound) -> Outcome:
        try:
            await self._pool.run(exchange, target)
        except LeaseOver as over:
            raise NotBegun("its lease has ended") from over
        except asyncio.CancelledError:
            if not exchange.written:
                raise
            if not exchange.status:
                return Unknown(reason="the engine was stopped while sending")
        except Exception as error:  # noqa: BLE001  an attempt always has an outcome
            return _failure(error, exchange, deadline)
        return self._answered(exchange, bound.secrets)

    def _answered(self, exchange: Exchange, secrets: Collection[str]) -> Answered:
        kept: dict[str, str] = {}
        for spelled, value in exchange.headers:
            name = _kept(spelled)
            if name:
                text = scrub(_text(value), secrets)
                kept[name] = f"{kept[name]}, {text}" if name in kept else text
        return Answered(
            status=exchange.status,
            headers=kept,
            body=scrub(exchange.body.decode("utf-8", "replace"), secrets, cut=exchange.cut)
            if exchange.body
            else "",
            timing=exchange.timing,
        )


@lru_cache(maxsize=256)
def _kept(spelled: bytes) -> str:
    """The header's name in lower case, empty if it is not kept: targets say the same ones again and again."""
    name = spelled.lower()
    return name.decode("ascii") if name in _KEPT_HEADERS or name.startswith(_KEPT_KINDS) else ""


def _check_plain(target: Target, policy: AddressPolicy) -> None:
    """Secrets go out over plain HTTP only where the operator has opened a network or a name himself."""
    if not _opened(policy, target.host, target.is_literal):
        raise SecretRefused(f"secrets go out over https only, not to http://{target.host}")


@lru_cache(maxsize=1024)
def _opened(policy: AddressPolicy, host: str, is_literal: bool) -> bool:
    """Whether the operator has opened it himself."""
    if not is_literal:
        return host in policy.allow_hosts
    address = ip_address(host)
    return any(address in network for network in policy.allow_networks)


class _Lease(Gate):
    """Lets bytes out until the lease ends."""

    __slots__ = ("_clock", "_stop", "_subject")

    def __init__(self, clock: Clock, stop: float, subject: str) -> None:
        self._clock, self._stop, self._subject = clock, stop, subject

    def check(self) -> None:
        if self._clock.ticks() > self._stop:
            raise LeaseOver


class _WatchedLease(_Lease):
    """Also tells fail-points how far the request has come."""

    def before_write(self) -> None:
        reach("send.before_write", self._subject)

    def check(self) -> None:
        super().check()
        reach("send.after_check", self._subject)

    def after_write(self) -> None:
        reach("send.after_write", self._subject)

    def after_answer(self) -> None:
        reach("send.after_answer", self._subject)


_GATE = _WatchedLease if ARMED else _Lease


def _failure(error: Exception, exchange: Exchange, deadline: float) -> Outcome:
    """Of what is not ours only the kind is kept: a text may quote the request."""
    match error:
        case Refused():
            return Blocked(reason=str(error))
        case Late(phase=phase):
            early = exchange.loop.time() < exchange.deadline
            seconds = time.monotonic() - exchange.began if early else deadline
            return TimedOut(phase=phase, seconds=seconds, written=exchange.written, timing=exchange.timing)
        case Broken(code=code):
            return Unreachable(reason=str(error), code=code, written=exchange.written, timing=exchange.timing)
        case _:
            return Unreachable(
                reason=_kind(error), code="mistake", written=exchange.written, timing=exchange.timing
            )


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _kind(error: BaseException) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return words.strip()
