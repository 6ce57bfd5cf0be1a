"""Signed requests, as an independent receiver sees them."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hookengine.domain.clock import SystemClock
from hookengine.guard.signing import new_signing_secret
from tests.acceptance.configs import TOKEN, a_config, a_hook, event, sha_of
from tests.acceptance.engines import opened
from tests.unit.engine.targets import Request, read_request, target

pytestmark = pytest.mark.anyio

OLD, NEW = new_signing_secret(), new_signing_secret()


class Receiver:
    """Answers in turn, then 204 for ever; and remembers."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[Request] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            status = self.statuses.pop(0) if self.statuses else 204
            echo = "" if status == 204 else f"Content-Length: {len(OLD) + 6}\r\n\r\nsaid: {OLD}"
            writer.write(f"HTTP/1.1 {status} X\r\n{echo or chr(13) + chr(10)}".encode())
            await writer.drain()


def verified(request: Request, secret: str) -> bool:
    headers = {name.lower(): value for name, value in request.headers}
    try:
        Webhook(secret).verify(request.body.decode(), headers)
    except WebhookVerificationError:
        return False
    return True


def signed_config(url: str, signing: Any) -> dict[str, Any]:
    config = a_config(a_hook(url, name="tell", signing=signing, retry={"waits": ["1s"], "jitter": 0}))
    config["secrets"] |= {"old": {"stored": True}, "new": {"stored": True}}
    return config


async def test_every_attempt_is_signed_anew_with_each_secret_under_the_same_id(tmp_path: Path) -> None:
    receiver = Receiver(503)
    clock: Any = SystemClock()  # the independent receiver goes by the real time
    async with (
        target(receiver) as url,
        opened(tmp_path, signed_config(url, {"secrets": ["new", "old"]}), clock) as engine,
    ):
        for name, secret in (("old", OLD), ("new", NEW)):
            await engine.engine.secrets.set(name, secret)
        (delivery,) = await engine.accept(event("completed", 1))
        ended = await engine.ended(delivery)

    first, second = receiver.requests
    for request in (first, second):
        assert verified(request, OLD)
        assert verified(request, NEW)
        assert not verified(request, new_signing_secret())
        assert dict(request.headers)["webhook-id"] == delivery
    assert first.body == second.body
    assert dict(first.headers)["webhook-timestamp"] < dict(second.headers)["webhook-timestamp"]
    assert ended["attempts"][0]["detail"]["body"] == "said: [secret]"
    assert OLD not in str(ended)


async def test_github_style_signatures_are_of_the_body(tmp_path: Path) -> None:
    receiver = Receiver()
    async with (
        target(receiver) as url,
        opened(tmp_path, signed_config(url, {"secret": "host", "scheme": "github"})) as engine,
    ):
        (delivery,) = await engine.accept(event("completed", 1))
        await engine.ended(delivery)

    (request,) = receiver.requests
    digest = hmac.digest(TOKEN.encode(), request.body, "sha256").hex()
    assert dict(request.headers)["x-hub-signature-256"] == f"sha256={digest}"


async def test_a_call_that_is_recognised_as_a_commit_status_is_not_signed(tmp_path: Path) -> None:
    receiver = Receiver()
    async with target(receiver) as url:
        config = signed_config(url.replace("/statuses", f"/repos/a/b/statuses/{sha_of(1)}"), "old")
        config["pipelines"][0]["hooks"][0]["settings"]["request_body"] = {"state": "x", "context": "c"}
        async with opened(tmp_path, config) as engine:
            await engine.engine.secrets.set("old", OLD)
            (delivery,) = await engine.accept(event("completed", 1))
            await engine.ended(delivery)

    (request,) = receiver.requests
    assert not {"webhook-signature", "webhook-timestamp"} & {name for name, _ in request.headers}


async def test_without_its_signing_secret_a_delivery_waits_and_says_what_to_do(tmp_path: Path) -> None:
    receiver = Receiver()
    async with target(receiver) as url, opened(tmp_path, signed_config(url, "old")) as engine:
        (delivery,) = await engine.accept(event("completed", 1))
        await engine.tried(delivery)
        waiting = await engine.delivery(delivery)
        await engine.engine.secrets.set("old", OLD)
        engine.later(seconds=60)
        ended = await engine.ended(delivery)

    assert waiting["status"] == "retrying"
    assert "`hookengine secrets set old`" in waiting["because"]
    assert ended["status"] == "delivered"
    assert len(receiver.requests) == 1
