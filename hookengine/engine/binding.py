"""A rendered request gets what it holds back until it is sent: the secrets of its holes, and its signature."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from hookengine.domain.capture import CaptureMissing, CaptureRef
from hookengine.domain.clock import Clock
from hookengine.domain.hook import Hook
from hookengine.domain.request import Hole, RenderedRequest
from hookengine.domain.status_call import family
from hookengine.domain.struct import struct
from hookengine.errors import StoreError
from hookengine.guard.signing import Headers, bare, signature_headers
from hookengine.guard.vault import SecretMissing, SecretRefused, fill

MESSAGE_ID = "webhook-id"


class Secrets(Protocol):
    """What sending needs of the vault."""

    async def values(
        self, names: Collection[str], host: str, *, renew: bool = False
    ) -> Mapping[str, str]: ...

    async def signing_secrets(self, hook: Hook, host: str) -> list[str]: ...


@struct()
class Bound:
    """Headers and body as they go out, and the `secrets` that no answer may keep. It says none of them."""

    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    secrets: Collection[str] = field(repr=False)


class Binder:
    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def bind(
        self,
        request: RenderedRequest,
        names: Collection[str],
        host: str,
        headers: Sequence[tuple[str, str]],
        hook: Hook | None,
    ) -> Bound:
        """`names` are the secrets it needs; `headers` go with its own. It is signed as the `hook` says, if it does.

        Raises SecretRefused, SecretMissing, UnfitSecret, StoreError, and ValueError for text that has no bytes.
        """
        values = await self._secrets.values(names, host)
        secrets = set(values.values())

        def filled(ref: Hole) -> str:
            if isinstance(ref, CaptureRef):
                raise CaptureMissing(f"captured.{ref.name} is not filled in")
            value = fill(ref, values)
            secrets.add(value)
            return value

        own, body = request.filled(filled)
        said = [*headers, *own]
        if hook is not None and hook.signing is not None and family(request) is None:
            keys = await self._secrets.signing_secrets(hook, host)
            secrets.update(keys, map(bare, keys))
            now = self._clock.now() // 1000
            signed = signature_headers(hook.signing.scheme, keys, dict(headers)[MESSAGE_ID], now, body)
            said[len(headers) : len(headers)] = signed
        return Bound(headers=said, body=body, values=values, secrets=secrets)

    async def is_renewed(self, host: str, bound: Bound) -> bool:
        """Whether it would be bound to other secrets now. Also asked of what was cut off meanwhile: never raises."""
        if not bound.values:
            return False
        try:
            return await self._secrets.values(bound.values.keys(), host, renew=True) != bound.values
        except (SecretRefused, SecretMissing, StoreError, asyncio.CancelledError):
            return False
