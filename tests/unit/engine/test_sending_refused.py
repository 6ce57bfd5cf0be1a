"""What does not go out: to closed addresses, after the lease, or with secrets that may not or cannot."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from hookengine.domain.attempt import Answered, Blocked
from hookengine.engine.sending import NotBegun
from hookengine.errors import StoreError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import Resolver
from hookengine.guard.vault import SecretMissing, SecretRefused
from tests.conftest import Clock, make_request
from tests.unit.engine.senders import LONG, OPEN, SECRET, MakeSender, post, with_secret
from tests.unit.engine.targets import Heard, target

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://10.1.2.3/",
        "ftp://target.example/",
        "http://[::1]/",
    ],
)
async def test_what_the_fence_refuses_is_blocked(sender: MakeSender, url: str) -> None:
    outcome = await post(sender(policy=AddressPolicy()), url)

    assert isinstance(outcome, Blocked)


async def test_an_address_the_fence_refuses_is_blocked_after_the_look_up(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def private(self: Resolver, host: str) -> list[IPAddress]:
        return [ip_address("10.0.0.1")]

    monkeypatch.setattr(Resolver, "resolve", private)

    outcome = await post(sender(), "http://rebound.example/")

    assert isinstance(outcome, Blocked)
    assert "rebound.example" in outcome.reason


async def test_secrets_do_not_go_over_plain_http_unless_the_operator_opened_the_way(
    sender: MakeSender,
) -> None:
    secrets, heard = {"secrets.host": SECRET}, Heard()
    closed = sender(secrets, policy=OPEN)
    opened = sender(secrets, policy=replace(OPEN, allow_hosts=frozenset({"target.example"})))

    async with target(heard) as url:
        named = url.replace("127.0.0.1", "target.example")
        refused = await post(closed, named, **with_secret())
        sent = await post(opened, named, **with_secret())

    assert refused == Blocked(reason="secrets go out over https only, not to http://target.example")
    assert isinstance(sent, Answered)
    assert len(heard.requests) == 1


async def test_no_byte_leaves_after_the_lease(sender: MakeSender, clock: Clock) -> None:
    received: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    async with target(listen) as url:
        with pytest.raises(NotBegun):
            await sender().send(make_request(url=url), (), LONG, clock.ticks() - 1)

    assert received in ([], [b""])


async def test_a_secret_that_may_not_go_there_blocks_the_request(sender: MakeSender) -> None:
    outcome = await post(sender(SecretRefused("may not go to target.example")), "https://target.example/")

    assert outcome == Blocked(reason="may not go to target.example")


@pytest.mark.parametrize("error", [SecretMissing("not set"), StoreError("SQLite: locked")])
async def test_a_secret_that_is_not_there_now_may_be_there_later(
    sender: MakeSender, error: Exception
) -> None:
    outcome = await post(sender(error), "https://target.example/")

    assert outcome == Blocked(reason=str(error), passing=True)


@pytest.mark.parametrize("secret", ["two\r\nX-Lines: 1", "schlüssel", "tab\tbed", "nul\x00"])
async def test_a_secret_that_does_not_fit_a_header_is_blocked_and_not_told(
    sender: MakeSender, secret: str
) -> None:
    outcome = await post(sender({"secrets.host": secret}), "https://target.example/", **with_secret())

    assert isinstance(outcome, Blocked)
    assert "authorization" in outcome.reason
    assert secret not in outcome.reason
