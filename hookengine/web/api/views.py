"""What is defined, and what becomes of it, as the API shows it: plain JSON values, times in RFC 3339.

What happened is shown as `hookengine.domain.views` has it.
"""

from __future__ import annotations

from typing import (
    Any,
    NotRequired,  # pydantic reads no other before Python 3.12
)

from typing_extensions import TypedDict

from hookengine.domain.views import ActionName, Header


class Noted(TypedDict):
    """`managed_by`: who may change it. Times are null where they were not kept yet."""

    managed_by: str
    created_at: str | None
    updated_at: str | None


class PipelineFacts(TypedDict):
    id: int
    name: str
    operation: str
    team: str
    application: str
    environment: str
    context: dict[str, Any]
    has_integration_key: bool


class Pipeline(PipelineFacts, Noted):
    """What is kept of one, without its integration key."""


class Reporting(TypedDict):
    """How another system reports what it deployed: its key, where to, and a command to try it with."""

    integration_key: str
    url: str
    curl: str


class NewPipeline(Pipeline, Reporting):
    pass


class Condition(TypedDict):
    path: str
    accepted_values: list[Any]


class Trigger(TypedDict):
    events: list[str]
    conditions: list[Condition]


class Settings(TypedDict):
    request_headers: list[Header]
    request_body: Any


class RequestTemplate(TypedDict):
    """One request, or several as `requests`. `capture`: what is taken from its answer."""

    method: NotRequired[str]
    target_url: NotRequired[str]
    settings: NotRequired[Settings]
    capture: NotRequired[dict[str, Any]]
    requests: NotRequired[list[dict[str, Any]]]


HookDocument = TypedDict(
    "HookDocument",
    {
        "id": str,
        "name": str,
        "active": bool,
        "trigger_when": Trigger,
        "method": NotRequired[str],
        "target_url": NotRequired[str],
        "settings": NotRequired[Settings],
        "capture": NotRequired[dict[str, Any]],
        "requests": NotRequired[list[dict[str, Any]]],
        "preset": NotRequired[str],
        "with": NotRequired[dict[str, Any]],
        "request": NotRequired[RequestTemplate],
        "action_type": NotRequired[str],
        "lane": NotRequired[dict[str, Any]],
        "retry": NotRequired[dict[str, Any]],
        "timeout": NotRequired[str],
        "rate": NotRequired[str],
        "signing": NotRequired[dict[str, Any]],
        "responses": NotRequired[list[dict[str, Any]]],
    },
)
"""As a file has it: its own request, or a preset with its blanks filled and, as `request`, what comes of it. What is
as usual is not said."""


class Hook(HookDocument, Noted):
    """`pipeline` is null for a hook of all pipelines. `because`: why it is not active."""

    pipeline: int | None
    version: int
    state: str
    because: str | None


class HookVersion(HookDocument):
    version: int
    created_at: str


class NewSecret(TypedDict):
    new_secret: str


class Variable(TypedDict):
    name: str
    path: str
    type: str
    required: bool
    default_value: Any


class IncomingCondition(Condition):
    type: str


class IncomingTrigger(TypedDict):
    conditions: list[IncomingCondition]


class IncomingHookFacts(TypedDict):
    id: str
    name: str
    pipeline: int
    active: bool
    requires_secret: bool
    secret: NotRequired[str]
    signature_header: str
    variables: list[Variable]
    trigger_when: IncomingTrigger
    url: str


class IncomingHook(IncomingHookFacts, Noted):
    """`secret` is the name of the one that senders sign with; it is told its `new_secret` when one is made for it."""

    new_secret: NotRequired[str]


class Secret(TypedDict):
    """Whose it is: a pipeline's, a hook's, or everyone's. `hosts`: where it may go."""

    name: str
    pipeline: int | None
    hook: str | None
    incoming_hook: str | None
    hosts: list[str]
    updated_at: str


class StartedEvent(TypedDict):
    id: str


class Triggered(TypedDict):
    """`action`, `event` and `matched` are there if it started one. Whoever may read deliveries asks
    `GET /api/events/{id}` which hooks the event has matched: strangers are told how many."""

    message: str
    errors: None
    action: NotRequired[ActionName]
    event: NotRequired[StartedEvent]
    matched: NotRequired[int]


class TakenEvent(TypedDict):
    id: str
    type: str
    action: ActionName


class Taken(TypedDict):
    """`ignored`: for each thing that came to nothing, why."""

    message: str
    events: list[TakenEvent]
    ignored: list[str]


class Instance(TypedDict):
    id: str
    instance_guid: str
    integration_id: Any
    name: Any
    type: Any


class Alive(TypedDict):
    status: str
