"""A receiver of webhooks as one would write it: it verifies the signature and drops what it knows.

Rules: https://www.standardwebhooks.com, with the headers `webhook-id`, `-timestamp` and `-signature`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.records import Place, Received, Reply

TOLERANCE_SECONDS = 300
PREFIX = "whsec_"


class Receiver(Host):
    """`tokens` are the secrets it verifies signatures with; without any it takes what is not signed.

    A `webhook-id` that comes again is answered well and counts once. Messages are shown as (path, id, nothing)
    with their type as the state.
    """

    name = "signed JSON receiver"
    api = "/hooks"

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self.messages: dict[str, Mapping[str, Any]] = {}

    def answer(self, received: Received) -> Reply:
        if received.method != "POST":
            return _told(405, "Method Not Allowed")
        message_id = received.headers.get("webhook-id", "")
        if not message_id:
            return _told(400, "webhook-id is missing")
        if self.tokens and (wrong := self._unverified(received, message_id)):
            return _told(401, wrong)
        try:
            message = received.json()
        except ValueError:
            return _told(400, "the body is not JSON")
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            return _told(400, "the body is an object with a type")
        if message_id not in self.messages:
            self.messages[message_id] = message
            place = Place(received.path, message_id, "")
            self.show(place, state=message["type"], description=None, url=None)
        return Reply(status=204, body="")

    def _unverified(self, received: Received, message_id: str) -> str:
        """Why the signature proves nothing; empty if it does."""
        sent_at = received.headers.get("webhook-timestamp", "")
        if not sent_at.isdecimal() or abs(int(sent_at) - self.clock() // 1000) > TOLERANCE_SECONDS:
            return "webhook-timestamp is missing or more than five minutes away"
        signed = f"{message_id}.{sent_at}.".encode() + received.content
        given = received.headers.get("webhook-signature", "").split()
        for secret in self.tokens:
            expected = "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
            if any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
                return ""
        return "webhook-signature does not fit"


def _key(secret: str) -> bytes:
    """The bytes of a `whsec_` secret, which is in base64; those of any other text as they are."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()


def _told(status: int, message: str) -> Reply:
    return Reply(status=status, body={"message": message})
