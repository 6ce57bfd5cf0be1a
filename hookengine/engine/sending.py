"""One request out, one outcome back. Whatever a target does, it ends here as an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from hookengine.domain.attempt import Answered, Blocked, Outcome, TimedOut, Unreachable
from hookengine.domain.clock import Clock
from hookengine.domain.request import RenderedRequest
from hookengine.engine.connections import Connections
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import refusal_in
from hookengine.guard.hostname import Refused
from hookengine.guard.url import Target, check_url
from hookengine.guard.vault import SecretMissing, SecretRefused, fill, scrub

KEPT_HEADERS = frozenset(
    {"content-type", "location", "retry-after", "date", "x-request-id", "x-github-request-id"}
)
KEPT_PREFIXES = ("x-ratelimit-", "ratelimit-")
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


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
        self, request: RenderedRequest, headers: Iterable[tuple[str, str]], deadline: float
    ) -> Outcome:
        """`headers` go with the request's own; `deadline` is how many seconds it may take until the last byte."""
        try:
            target = check_url(request.url, self._policy)
            values = await self._secrets.values(request, target.host)
        except (Refused, SecretRefused) as error:
            return Blocked(reason=str(error))
        except SecretMissing as error:
            return Unreachable(reason=str(error))
        own, body = request.filled(lambda ref: fill(ref, values))
        unfit = [name for name, value in own if not _fits_a_header(value)]
        if unfit:
            return Blocked(reason=f"the header {unfit[0]} would hold characters that headers cannot")
        outgoing = httpx.Request(
            request.method,
            target.url,
            headers=[
                ("user-agent", self._manners.user_agent),
                ("accept-encoding", "identity"),
                *headers,
                *own,
            ],
            content=body,
            extensions={"timeout": self._timeouts(deadline)},
        )
        return await self._exchange(target, outgoing, values, deadline)

    async def _exchange(
        self, target: Target, outgoing: httpx.Request, values: Mapping[str, str], deadline: float
    ) -> Outcome:
        started = self._clock.ticks()
        begun = False
        try:
            async with asyncio.timeout(deadline), self._connections.lend(target.origin) as client:
                begun = True
                return await self._answer(client, outgoing, values)
        except TimeoutError:
            return TimedOut(phase="total" if begun else "queue", seconds=deadline, written=begun)
        except _UNSENT as error:
            return _not_sent(error, self._clock.ticks() - started)
        except httpx.TimeoutException as error:
            phase = "write" if isinstance(error, httpx.WriteTimeout) else "read"
            return TimedOut(phase=phase, seconds=self._clock.ticks() - started, written=True)
        except Exception as error:  # noqa: BLE001  h11 and anyio raise errors of their own through httpx
            # Their texts may quote headers, so only the kind of the error is kept.
            return Unreachable(reason=_kind(error), written=True)

    async def _answer(
        self, client: httpx.AsyncClient, outgoing: httpx.Request, values: Mapping[str, str]
    ) -> Answered:
        """A broken body after a status line does not take the status away."""
        response = await client.send(outgoing, stream=True)
        excerpt = bytearray()
        try:
            async for chunk in response.aiter_raw():
                excerpt += chunk[: self._manners.response_excerpt - len(excerpt)]
                if len(excerpt) >= self._manners.response_excerpt:
                    break
        except httpx.HTTPError:
            pass
        finally:
            await response.aclose()
        return Answered(
            status=response.status_code,
            headers={
                name: scrub(value, values.values())
                for name, value in response.headers.items()
                if name in KEPT_HEADERS or name.startswith(KEPT_PREFIXES)
            },
            body=scrub(excerpt.decode("utf-8", "replace"), values.values()),
        )

    def _timeouts(self, deadline: float) -> dict[str, float]:
        return {
            "connect": min(self._manners.connect_timeout, deadline),
            "read": deadline,
            "write": deadline,
            "pool": deadline,
        }


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _not_sent(error: httpx.HTTPError, seconds: float) -> Outcome:
    refusal = refusal_in(error)
    if refusal is not None:
        return Blocked(reason=str(refusal))
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(phase="connect", seconds=seconds)
    return Unreachable(reason=str(error) or _kind(error))


def _kind(error: BaseException) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return words.strip()
