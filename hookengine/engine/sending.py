"""One request out, one outcome back. Whatever a target does, it ends here as an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

import httpx

from hookengine.domain.attempt import Answered, Blocked, Outcome, TimedOut, Unknown, Unreachable
from hookengine.domain.clock import Clock
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.engine.connections import Connections
from hookengine.errors import StoreError
from hookengine.failpoints import reach
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import refusal_in
from hookengine.guard.hostname import Refused
from hookengine.guard.url import Target, check_url
from hookengine.guard.vault import SecretMissing, SecretRefused, fill, scrub

KEPT_HEADERS = frozenset(
    {"content-type", "location", "retry-after", "date", "x-request-id", "x-github-request-id"}
)
KEPT_PREFIXES = ("x-ratelimit-", "ratelimit-")
_ONCE_CONNECTED = (
    httpx.ReadError,
    httpx.WriteError,
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.RemoteProtocolError,
)


class NotBegun(Exception):
    """No byte was sent, and it is not the target's fault: the delivery may be given back."""


class UnfitError(ValueError):
    """A header would hold what headers cannot."""


class Secrets(Protocol):
    """What sending needs of the vault."""

    async def values(self, request: RenderedRequest, host: str) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How we behave towards targets. `response_excerpt` is how many bytes of an answer are kept."""

    connect_timeout: float = 5.0
    response_excerpt: int = 16 * 1024
    user_agent: str = "hookengine"


class Sender:
    def __init__(
        self,
        secrets: Secrets,
        policy: AddressPolicy,
        connections: Connections,
        clock: Clock,
        manners: Manners = Manners(),
    ) -> None:
        self._secrets = secrets
        self._policy = policy
        self._connections = connections
        self._clock = clock
        self._manners = manners

    async def send(
        self,
        request: RenderedRequest,
        headers: Iterable[tuple[str, str]],
        deadline: float,
        stop: float = float("inf"),
        subject: str = "",
    ) -> Outcome:
        """`headers` go with the request's own; `deadline` is how many seconds it may take until the last byte.

        No byte leaves after `stop`, a time of the clock's ticks. `subject` names it to fail-points. Raises
        NotBegun, and CancelledError only if no byte has left.
        """
        try:
            target = check_url(request.url, self._policy)
            self._check_plain(request, target)
            values = await self._secrets.values(request, target.host)
        except (Refused, SecretRefused) as error:
            return Blocked(reason=str(error))
        except (SecretMissing, StoreError) as error:
            return Blocked(reason=str(error), passing=True)
        secrets = set(values.values())

        def filled(ref: SecretRef) -> str:
            secrets.add(fill(ref, values))
            return fill(ref, values)

        progress = _Progress(clock=self._clock, stop=stop, deadline=deadline, subject=subject)
        try:
            outgoing = self._outgoing(request.method, target, request.filled(filled), headers, progress)
        except UnfitError as error:
            return Blocked(reason=str(error))
        except ValueError:  # its text would quote the request
            return Blocked(reason="the request holds characters that cannot be sent")
        return await self._exchange(target, outgoing, secrets, progress)

    def _outgoing(
        self,
        method: str,
        target: Target,
        filled: tuple[tuple[tuple[str, str], ...], bytes],
        headers: Iterable[tuple[str, str]],
        progress: _Progress,
    ) -> httpx.Request:
        own, body = filled
        for name, value in own:
            if not _fits_a_header(value):
                raise UnfitError(f"the header {name} would hold characters that headers cannot")
        return httpx.Request(
            method,
            target.url,
            headers=[*self._usual_headers(own), *headers, *own],
            content=body,
            extensions={"timeout": self._timeouts(progress.deadline), "trace": progress.trace},
        )

    def _check_plain(self, request: RenderedRequest, target: Target) -> None:
        """Secrets go out over plain HTTP only where the operator has opened a network or a name himself."""
        if target.scheme == "https" or not request.secrets:
            return
        opened = target.host in self._policy.allow_hosts or (
            target.is_literal
            and any(ip_address(target.host) in network for network in self._policy.allow_networks)
        )
        if not opened:
            raise SecretRefused(f"secrets go out over https only, not to http://{target.host}")

    async def _exchange(
        self,
        target: Target,
        outgoing: httpx.Request,
        secrets: Collection[str],
        progress: _Progress,
    ) -> Outcome:
        started = self._clock.ticks()
        try:
            async with asyncio.timeout(progress.deadline), self._connections.lend(target.origin) as client:
                await self._read(client, outgoing, progress)
        except NotBegun:
            raise
        except asyncio.CancelledError:
            if not progress.written:
                raise
            if not progress.status:
                return Unknown(reason="the engine was stopped while sending")
        except Exception as error:  # noqa: BLE001  h11 and anyio raise errors of their own through httpx
            if not progress.status:
                return _failure(error, progress, self._clock.ticks() - started)
        return self._answered(progress, secrets)

    async def _read(self, client: httpx.AsyncClient, outgoing: httpx.Request, progress: _Progress) -> None:
        """A body that breaks or stalls after a status line does not take the status away."""
        response = await client.send(outgoing, stream=True)
        progress.status, progress.headers = response.status_code, response.headers
        try:
            async for chunk in response.aiter_raw():
                progress.excerpt += chunk[: self._manners.response_excerpt - len(progress.excerpt)]
                if len(progress.excerpt) >= self._manners.response_excerpt:
                    break
        except httpx.HTTPError:
            pass
        finally:
            await response.aclose()

    def _answered(self, progress: _Progress, secrets: Collection[str]) -> Answered:
        cut = len(progress.excerpt) >= self._manners.response_excerpt
        return Answered(
            status=progress.status,
            headers={
                name: scrub(value, secrets)
                for name, value in progress.headers.items()
                if name in KEPT_HEADERS or name.startswith(KEPT_PREFIXES)
            },
            body=scrub(progress.excerpt.decode("utf-8", "replace"), secrets, cut=cut),
        )

    def _usual_headers(self, own: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Unless the hook says otherwise."""
        said = {name.lower() for name, _ in own}
        usual = (("user-agent", self._manners.user_agent), ("accept-encoding", "identity"))
        return [(name, value) for name, value in usual if name not in said]

    def _timeouts(self, deadline: float) -> dict[str, float]:
        return {
            "connect": min(self._manners.connect_timeout, deadline),
            "read": deadline,
            "write": deadline,
            "pool": deadline,
        }


@dataclass(slots=True)
class _Progress:
    """How far a request has come, for those that are cut off. httpcore tells when its first bytes leave."""

    clock: Clock
    stop: float
    deadline: float
    subject: str = ""
    phase: str = "connect"
    written: bool = False
    status: int = 0  # until there is an answer
    headers: Mapping[str, str] = field(default_factory=dict)
    excerpt: bytearray = field(default_factory=bytearray)

    async def trace(self, event: str, _info: object) -> None:
        if event == "http11.send_request_headers.started":
            if self.clock.ticks() > self.stop:
                raise NotBegun("its lease has ended")
            reach("send.before_write", self.subject)
            self.phase, self.written = "total", True
        elif event == "http11.send_request_body.complete":
            reach("send.after_write", self.subject)
        elif event == "http11.receive_response_headers.complete":
            reach("send.after_answer", self.subject)


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _failure(error: Exception, progress: _Progress, seconds: float) -> Outcome:
    """Their texts may quote headers, so of what comes after connecting only the kind is kept."""
    refusal = refusal_in(error)
    if refusal is not None:
        return Blocked(reason=str(refusal))
    if isinstance(error, TimeoutError):
        return TimedOut(phase=progress.phase, seconds=progress.deadline, written=progress.written)
    written = progress.written or isinstance(error, _ONCE_CONNECTED)
    if isinstance(error, httpx.TimeoutException):
        phase = {httpx.WriteTimeout: "write", httpx.ReadTimeout: "read"}.get(type(error), "connect")
        return TimedOut(phase=phase, seconds=seconds, written=written)
    if isinstance(error, httpx.ConnectError):
        return Unreachable(reason=str(error) or _kind(error))
    return Unreachable(reason=_kind(error), written=written)


def _kind(error: BaseException) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return words.strip()
