"""Things as people and programs are shown them, in plain JSON values. The API's document is made of these.

Times are RFC 3339 in UTC. `Any` is what a platform or an administrator said, as it was said. Replays are in
`replay_views`, previews in `trial_views`.
"""

from __future__ import annotations

from typing import (
    Any,
    Generic,
    NotRequired,  # pydantic reads no other before Python 3.12
    TypeVar,
)

from typing_extensions import TypedDict

from hookengine.domain.attempt import OutcomeWord, VerdictWord

T = TypeVar("T")


class ListOf(TypedDict, Generic[T]):
    """`next` is where the list goes on; null at its end."""

    items: list[T]
    next: str | None


class PipelineName(TypedDict):
    id: int
    name: str | None


class HookName(TypedDict):
    id: str
    name: str


class ActionName(TypedDict):
    id: int | str
    pipeline: PipelineName


class EventName(TypedDict):
    id: str
    type: str | None


class Header(TypedDict):
    name: str
    value: str


class Request(TypedDict):
    """Secrets are shown by their names, in angle brackets."""

    method: str
    url: str
    headers: list[Header]
    body: str | None


class LaneName(TypedDict):
    key: str
    policy: str


# What happened


class OwedHook(TypedDict):
    """`problem`: why its request could not be made."""

    id: str
    name: str
    delivery: str
    problem: NotRequired[str]


class Accepted(TypedDict):
    id: str
    type: str
    action: ActionName
    hooks: list[OwedHook]


class Event(TypedDict):
    id: str
    type: str
    action: ActionName | None
    occurred_at: str | None
    accepted_at: str | None
    hooks: list[OwedHook]


class HookVersionName(TypedDict):
    id: str
    name: str | None
    version: int


class DeliveryTimes(TypedDict):
    """`check`: it asks what the host shows."""

    repair_of: str | None
    check: bool
    replay_of: str | None
    accepted_at: str | None
    ended_at: str | None


class DeliveryFacts(TypedDict):
    id: str
    status: str
    because: str
    event: EventName
    action: ActionName | None
    hook: HookVersionName


class DeliveryName(DeliveryFacts, DeliveryTimes):
    pass


class Part(TypedDict):
    """Which of a hook's requests it is; `name` is empty for the last, which has none."""

    number: int
    of: int
    name: str


class Delivery(DeliveryName):
    """`part` is null for a hook that makes one request. `sha` is the commit whose status it writes, `last_code` the
    status code of the last answer. `waits_for` says in words what keeps it from being sent, beside its time."""

    part: Part | None
    host: str
    lane: LaneName | None
    sha: str | None
    attempts_made: int
    last_outcome: OutcomeWord | None
    last_code: int | None
    waits_for: str | None
    next_attempt_at: str | None
    superseded_by: str | None


class Attempt(TypedDict):
    """`detail` says more of the outcome: the answer, or the reason, and under `timing` milliseconds."""

    number: int
    started_at: str | None
    finished_at: str | None
    outcome: OutcomeWord | None
    detail: dict[str, Any] | None
    certainty: str | None
    verdict: VerdictWord | None
    because: str | None
    next_attempt_at: str | None
    closed_by: str | None
    late_outcome: OutcomeWord | None
    node: str


class DeliveryDetails(Delivery):
    request: Request | None
    attempts: list[Attempt]


class EventDetails(Event):
    """`more` names the lists that were cut off: `GET /api/deliveries` has what an event owes page by page."""

    data: dict[str, Any]
    deliveries: list[Delivery]
    more: list[str]


class SentState(DeliveryName):
    """`state` is that of the commit status, if it is one."""

    state: str | None


class Confirmed(TypedDict):
    """What the newest check has found."""

    delivery: str
    status: str
    because: str
    ended_at: str | None


class Target(TypedDict):
    """What a lane changes outside. `shown` is what is known to be seen there, and `why` says how that is known.
    `more` names the lists that were cut off: `sent` has the newest."""

    lane: LaneName
    host: str | None
    repository: str | None
    sha: str | None
    context: str | None
    sent: list[SentState]
    shown: SentState | None
    why: str
    confirmed: Confirmed | None
    more: list[str]


class Action(TypedDict):
    id: int | str
    pipeline: PipelineName
    type: Any
    status: Any
    number: Any
    open_since: str | None
    updated_at: str | None


class ActionDetails(Action):
    """`more` names the lists that were cut off: `GET /api/events` and `/api/deliveries` have them page by page."""

    context: dict[str, Any]
    events: list[Event]
    deliveries: list[Delivery]
    targets: list[Target]
    more: list[str]


class Commit(TypedDict):
    """`more` names the lists that were cut off."""

    sha: str
    statuses: list[Target]
    warnings: list[str]
    more: list[str]


class ExplainedHook(TypedDict):
    """`why_not`: the first thing that keeps it from matching. `delivery`: the one that is owed to it."""

    id: str
    name: str
    matches: bool
    why_not: str | None
    delivery: str | None


class OptionalEventName(TypedDict):
    id: str | None
    type: str


class Explained(TypedDict):
    event: OptionalEventName
    pipeline: PipelineName
    hooks: list[ExplainedHook]


class DeployedAction(TypedDict):
    id: int | str
    type: Any
    status: str


class Deployment(TypedDict):
    """`seconds_before` the alert; negative for what came after."""

    event: EventName
    action: DeployedAction
    pipeline: PipelineName
    team: str | None
    application: Any
    environment: Any
    occurred_at: str | None
    seconds_before: float


Deployments = TypedDict(
    "Deployments",
    {"scope": str, "from": str | None, "to": str | None, "items": list[Deployment], "next": str | None},
)
"""`scope`: whose pipelines count, `team` or `account`. `next` is where the list goes on; null at its end."""


# Who may come in


class Token(TypedDict):
    id: str
    name: str
    scopes: list[str]
    team: str | None
    pipeline: int | None
    created_at: str | None
