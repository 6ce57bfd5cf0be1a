"""Incoming hooks: a request starts an action, and what it says is remembered for the action's events."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from hookengine.domain.clock import Clock
from hookengine.domain.context import too_deep
from hookengine.domain.event import DEEPEST, TRIGGER_ID, Event, Lifecycle, key_of
from hookengine.domain.pipeline import IncomingHook
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.intake import Intake
from hookengine.errors import EventConflict, HookEngineError, InvalidEvent
from hookengine.guard.signing import verify_hmac
from hookengine.store.contract import Store

ONCE_HEADERS = (
    "webhook-id",
    "x-github-delivery",
    "x-gitlab-event-uuid",
    "x-gitea-delivery",
    "x-request-uuid",
    "idempotency-key",
)
"""Headers in which senders name a delivery, so that one sent twice starts one action."""


class BadSignature(HookEngineError):
    """The request does not carry the signature its hook asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """`action_id` is None when the hook's conditions do not hold: nothing was started, for `because`."""

    action_id: int | None
    answer: Mapping[str, Any] | None = None
    because: str = ""


class Triggers:
    """`secret` gives the value of the secret that an incoming hook names, or raises SecretMissing."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        intake: Intake,
        clock: Clock,
        secret: Callable[[IncomingHook], Awaitable[str]],
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._intake = intake
        self._clock = clock
        self._secret = secret

    async def trigger(self, hook_id: str, body: bytes, headers: Mapping[str, str]) -> Triggered:
        """Start an action. `headers` have lower-case names.

        Raises NotFound, BadSignature, InvalidEvent, SecretMissing, StoreError.
        """
        hook = self._catalogue.incoming(hook_id)
        await self._verify(hook, body, headers)
        if headers.get("x-github-event") == "ping":  # what GitHub sends first must not be the first deploy
            return Triggered(action_id=None, because="it is the ping with which GitHub begins")
        document = _parsed(body)
        failing = hook.first_failing(document)
        if failing is not None:
            accepted = ", ".join(map(str, failing.accepted_values))
            return Triggered(action_id=None, because=f"{failing.path} is not one of {accepted}")
        variables = hook.parse(document)
        event_id = _event_id(hook, headers)
        started = await self._started_before(hook, event_id)
        if started is None:
            started = await self._start(hook, event_id, variables)
        return Triggered(action_id=started["action"]["id"], answer=started)

    async def _start(
        self, hook: IncomingHook, event_id: str | None, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        pipeline = self._catalogue.pipeline(hook.pipeline_id)
        action_id = await self._store.new_action(pipeline.id, self._clock.now())
        event = Event.parse(
            {
                "type": Lifecycle.QUEUED,
                "action": {
                    "id": action_id,
                    "type": pipeline.operation,
                    "pipeline": pipeline.id,
                    "triggered_from": {
                        "trigger_type": "hook",
                        "name": hook.name,
                        "hook_id": hook.id,
                        "hook_parsed_variables": dict(variables),
                    },
                },
            }
        )
        try:
            (answer,) = await self._intake.accept([replace(event, id=event_id)])
        except EventConflict:  # the same delivery came in twice at the same time; the other one was first
            before = await self._started_before(hook, event_id)
            if before is None:
                raise
            return before
        return answer

    async def _started_before(self, hook: IncomingHook, event_id: str | None) -> dict[str, Any] | None:
        if event_id is None:
            return None
        key = key_of(hook.pipeline_id, event_id)
        known = (await self._store.remember([key], [])).events.get(key)
        return None if known is None else orjson.loads(known[1])

    async def _verify(self, hook: IncomingHook, body: bytes, headers: Mapping[str, str]) -> None:
        if hook.secret is None:
            return
        signature = headers.get(hook.signature_header.lower(), "")
        if not signature or not verify_hmac(await self._secret(hook), body, signature):
            raise BadSignature(f"the header {hook.signature_header} must hold the HMAC-SHA256 of the body")


def _parsed(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent({"body": [f"The request body must be JSON: {error}."]}) from error
    if too_deep(document, DEEPEST):
        raise InvalidEvent({"body": [f"Objects and lists may be nested {DEEPEST} deep, not deeper."]})
    return document


def _event_id(hook: IncomingHook, headers: Mapping[str, str]) -> str | None:
    named = next((headers[name] for name in ONCE_HEADERS if headers.get(name)), None)
    if named is None:
        return None
    return f"{TRIGGER_ID}{hook.id}:{hashlib.sha256(named.encode()).hexdigest()}"
