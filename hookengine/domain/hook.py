"""Hooks: who wants which events, under which conditions, and the request to make."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hookengine.domain.capture import Capture
from hookengine.domain.context import MISSING, Context, lookup
from hookengine.domain.event import STATUS_CHANGED, Lifecycle
from hookengine.domain.response import ResponseRule
from hookengine.domain.retry import RetryPolicy

_BLANK = re.compile(r"\{\{\s*params\.(\w+)\s*\}\}")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class LanePolicy(StrEnum):
    LATEST = "latest"  #: one thing whose newest state counts: older deliveries are superseded
    ORDERED = "ordered"  #: strict first in, first out
    NONE = "none"  #: each delivery goes alone


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSpec:
    """What a hook says about its lane. `key` is a template; empty means the lane the request itself names."""

    policy: LanePolicy
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The value at `path` must be one of `accepted_values`; a missing path never is."""

    path: str
    accepted_values: tuple[Any, ...]

    def holds(self, context: Context) -> bool:
        value = lookup(context, self.path)
        return value is not MISSING and any(_equal(value, accepted) for accepted in self.accepted_values)


def _equal(value: Any, accepted: Any) -> bool:
    """Equal as JSON values (so `true` is not `1`), or as their texts (so `"42"` is `42`)."""
    return _text(value) == _text(accepted)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


GITHUB_SIGNATURE = "x-hub-signature-256"


class SigningScheme(StrEnum):
    STANDARD = "standard"  #: Standard Webhooks
    GITHUB = "github"  #: X-Hub-Signature-256, as GitHub does it


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How requests are signed. `secrets` are names, the newest first: while one is replaced, both sign."""

    secrets: tuple[str, ...]
    scheme: SigningScheme = SigningScheme.STANDARD


class HookState(StrEnum):
    ACTIVE = "active"  #: matches events, delivers
    PAUSED = "paused"  #: matches events, what it owes waits
    DISABLED = "disabled"  #: matches nothing, what waited is cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """One of the requests that a hook makes for an event, in the order in which they are sent.

    `name` is for people. `once_per_lane`: not sent where all that it captures is known already.
    """

    target_url: str
    name: str = ""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    captures: tuple[Capture, ...] = ()
    once_per_lane: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """That the target is asked what it shows once an action has ended, by a GET of `target_url` with `headers`.

    `match` and `expected` are templates, by dotted paths in an entry of the answer, and of the state there; see
    `hookengine.domain.confirmation`.
    """

    target_url: str
    headers: tuple[tuple[str, str], ...]
    entries: str
    match: tuple[tuple[str, str], ...]
    state: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An outgoing hook, checked. Texts in `target_url`, `headers`, `body` and `lane.key` are templates.

    `body` is a tree of JSON values with templates in its strings, or one template text, or None.
    `before` are the requests that go before this one, which is the last; `captures` is what this one takes.
    `params` are the values of a preset's blanks; its templates see them as `params.NAME`.
    """

    id: str
    revision: int
    name: str
    target_url: str
    events: tuple[str, ...]
    method: str = "POST"
    pipeline_id: int | None = None  # None: all pipelines
    action_type: str | None = None  # None: any
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    before: tuple[HookRequest, ...] = ()
    captures: tuple[Capture, ...] = ()
    confirm: Confirm | None = None
    conditions: tuple[Condition, ...] = ()
    lane: LaneSpec | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float = 30.0  # seconds from connecting to the last byte read
    responses: tuple[ResponseRule, ...] = ()
    signing: Signing | None = None  # never of commit-status calls
    rate: str = ""  # such as 10/min: what its credential may carry, on all nodes together; empty: no limit
    preset: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets_in_body: bool = False  # the preset says so: what it calls wants a secret there
    state: HookState = HookState.ACTIVE

    def wants(self, event_type: str) -> bool:
        if event_type in self.events:
            return True
        return STATUS_CHANGED in self.events and event_type in Lifecycle.values()

    @property
    def requests(self) -> tuple[HookRequest, ...]:
        """All of them, its own last."""
        own = HookRequest(
            target_url=self.target_url,
            method=self.method,
            headers=self.headers,
            body=self.body,
            captures=self.captures,
        )
        return *self.before, own

    @property
    def filled_url(self) -> str:
        """The template of the URL, with the literal values of a preset's blanks in their places."""
        return _filled(self.target_url, self.params)

    @property
    def target(self) -> str:
        """Scheme, host and port of the URL as far as they are literal: where its own secrets may go."""
        return origin_of(self.target_url, self.params)

    @property
    def targets(self) -> tuple[str, ...]:
        """The same of all its requests: where what is signed goes."""
        return tuple(origin_of(request.target_url, self.params) for request in self.requests)

    def first_failing(self, context: Context) -> Condition | None:
        for condition in self.conditions:
            if not condition.holds(context):
                return condition
        return None


def _filled(url: str, params: Mapping[str, Any]) -> str:
    return _BLANK.sub(lambda blank: str(params.get(blank[1], blank[0])), url)


def origin_of(target_url: str, params: Mapping[str, Any]) -> str:
    """Scheme, host and port of a URL as far as they are literal."""
    url = _filled(target_url, params)
    found = _ORIGIN.match(url)
    return found[0].lower() if found else url
