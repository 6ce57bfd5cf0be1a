"""Requests that are not deliveries: rare, and through the same fence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.transport import GuardedTransport, refusal_in
from hookengine.guard.vault.github_app import Unanswered

DEADLINE: Final = 10.0  # seconds


class Asker:
    """A `hookengine.guard.vault.github_app.Ask`. The pool is the caller's to close, and after it."""

    def __init__(self, pool: Pool) -> None:
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(pool, deadline=DEADLINE), trust_env=False, timeout=DEADLINE
        )

    async def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Raises Unanswered."""
        try:
            answer = await self._client.request(method, url, headers=dict(headers))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # their texts may quote the request
            refusal = refusal_in(error)
            raise Unanswered(str(refusal) if refusal else type(error).__name__) from None
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._client.aclose()
