"""Signatures of what goes out, and credentials that are not good enough."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Collection
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Blocked, Outcome
from hookengine.domain.hook import Hook, Signing, SigningScheme
from hookengine.domain.request import SecretRef
from hookengine.engine.sending import Sender
from hookengine.errors import StoreError
from tests.conftest import NOW, Clock, make_hook, make_request
from tests.unit.engine.senders import LONG, SECRET, MakeSender, Secrets, post, with_secret
from tests.unit.engine.targets import Heard, answering, target

pytestmark = pytest.mark.anyio


# Signatures


KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = make_hook(signing=Signing(secrets=("key",)))
STATUSES = "/repos/acme/shop/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e"


async def signed_post(sender: Sender, url: str, hook: Hook = SIGNED, **changes: Any) -> Outcome:
    async with asyncio.timeout(LONG):
        return await sender.send(
            make_request(url=url, **changes), (("webhook-id", "dlv_1"),), LONG, hook=hook
        )


async def test_the_signature_is_of_this_attempt_and_the_bytes_that_go_out(
    sender: MakeSender, clock: Clock
) -> None:
    heard, body = Heard(), ('{"key": "', SecretRef("secrets.host"), '"}')
    chosen = sender({"secrets.host": "t0ken-é", "secrets.key": KEY})

    async with target(heard) as url:
        await signed_post(chosen, url, body=body)
        clock.advance(seconds=61)
        await signed_post(chosen, url, body=body)

    first, second = (dict(request.headers) for request in heard.requests)
    for headers, request, seconds in zip((first, second), heard.requests, (0, 61), strict=True):
        assert headers["webhook-timestamp"] == str(NOW // 1000 + seconds)
        digest = hmac.digest(
            base64.b64decode(KEY[6:]),
            f"dlv_1.{headers['webhook-timestamp']}.".encode() + request.body,
            "sha256",
        )
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert heard.requests[0].body == '{"key": "t0ken-é"}'.encode()
    assert first["webhook-id"] == second["webhook-id"] == "dlv_1"


async def test_a_commit_status_call_is_never_signed(sender: MakeSender) -> None:
    heard = Heard()

    async with target(heard) as url:
        await signed_post(sender({"secrets.key": KEY}), url.replace("/statuses", STATUSES))

    (request,) = heard.requests
    assert not {name for name, _ in request.headers} & {"webhook-timestamp", "webhook-signature"}


async def test_github_style_signs_the_body_under_githubs_header(sender: MakeSender) -> None:
    heard = Heard()
    hook = make_hook(signing=Signing(secrets=("key",), scheme=SigningScheme.GITHUB))

    async with target(heard) as url:
        await signed_post(sender({"secrets.key": "It's a Secret"}), url, hook)

    (request,) = heard.requests
    digest = hmac.digest(b"It's a Secret", request.body, "sha256").hex()
    assert dict(request.headers)["x-hub-signature-256"] == f"sha256={digest}"


async def test_a_signing_secret_that_is_echoed_is_taken_out(sender: MakeSender) -> None:
    answer = f"HTTP/1.1 400 No\r\n\r\n{KEY} {KEY[6:]} {KEY.encode().hex()}"

    async with target(answering(answer.encode())) as url:
        outcome = await signed_post(sender({"secrets.key": KEY}), url)

    assert isinstance(outcome, Answered)
    assert outcome.body == "[secret] [secret] [secret]"


@pytest.mark.parametrize("key", ["no key at all", "whsec_c2hvcnQ="])
async def test_with_a_secret_that_is_no_key_nothing_is_sent_until_it_is_mended(
    sender: MakeSender, key: str
) -> None:
    heard = Heard()

    async with target(heard) as url:
        outcome = await signed_post(sender({"secrets.key": key}), url)

    assert isinstance(outcome, Blocked)
    assert outcome.passing
    assert key not in outcome.reason
    assert heard.requests == []


# Credentials that are not good enough


@pytest.mark.parametrize(
    ("status", "newer", "renewed"),
    [(401, "newer-t0ken", True), (401, SECRET, False), (403, "newer-t0ken", False)],
)
async def test_after_a_401_it_is_known_whether_the_credential_has_changed(
    sender: MakeSender, status: int, newer: str, renewed: bool
) -> None:
    given = Secrets({"secrets.host": SECRET})
    given.renewed = {"secrets.host": newer}
    heard = Heard(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    async with target(heard) as url:
        outcome = await post(sender(given), url, **with_secret())

    assert outcome == Answered(status=status, renewed=renewed)
    assert len(heard.requests) == 1


async def test_a_401_without_a_secret_in_the_request_is_what_it_is(sender: MakeSender) -> None:
    async with target(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await post(sender(), url) == Answered(status=401)


async def test_a_401_is_recorded_although_the_credential_cannot_be_asked_for(sender: MakeSender) -> None:
    given = Secrets({"secrets.host": SECRET})

    class Failing(Secrets):
        async def values(self, names: Collection[str], host: str, *, renew: bool = False) -> dict[str, str]:
            if renew:
                raise StoreError("SQLite: locked")
            return await given.values(names, host)

    async with target(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await post(sender(Failing({})), url, **with_secret()) == Answered(status=401)
