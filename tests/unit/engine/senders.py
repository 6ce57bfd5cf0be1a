"""Senders over real sockets, and the secrets they are given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.domain.attempt import Outcome
from hookengine.domain.hook import Hook
from hookengine.domain.request import SecretRef
from hookengine.engine.sending import Sender
from hookengine.guard.address import AddressPolicy
from tests.conftest import make_request

SECRET = "s3cret/ghp+16C7e42F292c6912E7710c838347Ae178B4a"
OPEN = AddressPolicy.parse(["127.0.0.0/8"])
LONG = 30.0
SHORT = 0.05  # seconds that a request is given which can only end by its deadline
NOTHING: Mapping[str, str] = {}


class Secrets:
    """Gives what it is told to, whatever the host, or raises."""

    def __init__(self, given: Mapping[str, str] | Exception) -> None:
        self._given = given
        self.renewed: dict[str, str] = {}

    async def values(self, names: Collection[str], host: str, *, renew: bool = False) -> dict[str, str]:
        if isinstance(self._given, Exception):
            raise self._given
        return {**self._given, **(self.renewed if renew else {})}

    async def signing_secrets(self, hook: Hook, host: str) -> list[str]:
        return [self._given[f"secrets.{name}"] for name in hook.signing.secrets]


MakeSender = Callable[..., Sender]


async def post(sender: Sender, url: str, deadline: float = LONG, **changes: Any) -> Outcome:
    async with asyncio.timeout(LONG):
        return await sender.send(make_request(url=url, **changes), (("webhook-id", "dlv_1"),), deadline)


def with_secret(**changes: Any) -> dict[str, Any]:
    return {"headers": (("authorization", ("Bearer ", SecretRef("secrets.host"))),), **changes}
