"""The shape of pipelines and hooks in a file."""

from __future__ import annotations

import difflib
import pathlib
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hookengine.domain.event import RESERVED, STATUS_CHANGED, Lifecycle
from hookengine.domain.hook import Condition, LanePolicy, LaneSpec, Signing, SigningScheme
from hookengine.domain.pipeline import Variable, VariableType
from hookengine.domain.rate import Rate
from hookengine.domain.response import ResponseRule, Ruling, compiled
from hookengine.domain.retry import RetryPolicy
from hookengine.guard.integration_key import DIGEST
from hookengine.manifest.checking import Checked, MisplacedError
from hookengine.manifest.fields import Duration
from hookengine.manifest.key_source import KeySource

KNOWN_EVENTS: tuple[str, ...] = (*map(str, Lifecycle), STATUS_CHANGED)

_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_STATUS = re.compile(r"[1-5]([0-9][0-9]|xx)")
_STATUSES = str | int | list[str | int]
_LONGEST_TIMEOUT = 300_000


def _event(name: str) -> str:
    if name in KNOWN_EVENTS:
        return name
    if likely := _lifecycle_meant(name):
        raise ValueError(f"unknown event '{name}', did you mean '{likely}'?")
    if len(name) > 100 or not _EVENT.fullmatch(name):
        raise ValueError("an event is a lower-case word.word, such as action.started")
    return name


def _lifecycle_meant(name: str) -> str:
    """`action.restarted` is a name of its own, `action.complete` and `action.canceled` are mistakes."""
    room, _, word = name.lower().partition(".")
    if difflib.SequenceMatcher(a=room, b="action").ratio() < 0.8:
        return ""
    for known in KNOWN_EVENTS:
        right = known.partition(".")[2]
        if len(word) >= 4 and right.startswith(word):
            return known
        if difflib.SequenceMatcher(a=word.replace("_", ""), b=right.replace("_", "")).ratio() > 0.88:
            return known
    return ""


def _pattern(text: str) -> str:
    try:
        compiled(text)
    except ValueError as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


def _statuses(value: Any) -> Any:
    statuses = value if isinstance(value, list) else [value]
    return [str(status) if type(status) is int else status for status in statuses]


def _status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError("a status is a code such as 400 or a class such as 5xx")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a line end or another character that cannot be printed")
    return text


def _timeout(duration: int) -> int:
    if duration > _LONGEST_TIMEOUT:
        raise ValueError("must be at most 5m")
    return duration


def _body(value: Any) -> Any:
    if value is not None and not isinstance(value, dict | list | str):
        raise ValueError("a request body is a mapping, a list, or text")
    return value


def _own_names(context: dict[str, Any]) -> dict[str, Any]:
    for name in context:
        if name in RESERVED:
            raise MisplacedError(f"'{name}' is the engine's own name, choose another", name)
    for name in ("action", "pipeline"):
        if not isinstance(context.get(name, {}), dict):
            raise MisplacedError("must be a mapping: the engine puts its own facts beside yours", name)
    return context


_PRINTABLE = AfterValidator(_printable)
Name = Annotated[str, Field(min_length=1, max_length=60), _PRINTABLE]
Path = Annotated[str, Field(min_length=1, max_length=500)]
SecretName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
EventName = Annotated[str, AfterValidator(_event)]
Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_pattern)]


RateText = Annotated[str, AfterValidator(lambda text: str(Rate.parse(text)))]
Timeout = Annotated[Duration, AfterValidator(_timeout)]
Method = Annotated[
    Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class ConditionText(Checked):
    path: Path
    """Dotted path into the context."""
    accepted_values: Annotated[list[Any], Field(min_length=1)]
    """The value at the path must be one of these."""

    def condition(self) -> Condition:
        return Condition(path=self.path, accepted_values=tuple(self.accepted_values))


class RequestConditionText(ConditionText):
    type: Literal["request_body"] = "request_body"


class IncomingTriggerText(Checked):
    conditions: list[RequestConditionText] = Field(default_factory=list)


class TriggerText(Checked):
    events: list[EventName] = Field(default_factory=list)
    """Which events the hook wants; `action.status_changed` is any of the lifecycle."""
    conditions: list[ConditionText] = Field(default_factory=list)
    """All of them must hold."""


class WantingText(TriggerText):
    """Of a hook that no preset tells which events to want."""

    events: Annotated[list[EventName], Field(min_length=1)]


class VariableText(Checked):
    name: Name
    path: Path | None = None
    """Dotted path into the request's body; the name if left out."""
    type: Literal["string", "integer", "boolean", "array"] = "string"
    required: bool = False
    default_value: Any = None

    @model_validator(mode="after")
    def _default_is_of_the_type(self) -> VariableText:
        if self.default_value is None:
            return self
        try:
            self.variable().parse({self.path or self.name: self.default_value})
        except ValueError:
            raise MisplacedError(f"must be of type {self.type}", "default_value") from None
        return self

    def variable(self) -> Variable:
        return Variable(
            name=self.name,
            path=self.path or self.name,
            type=VariableType(self.type),
            required=self.required,
            default=self.default_value,
        )


class IncomingText(Checked):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    """Part of the hook's URL: whoever knows it can call it."""
    name: Name
    active: bool = True
    secret: str | None = None
    """The name of a secret under `secrets`: requests must then be signed with it."""
    signature_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "x-hub-signature-256"
    variables: list[VariableText] = Field(default_factory=list)
    trigger_when: IncomingTriggerText = IncomingTriggerText()


class KeyText(Checked):
    """Where an integration key is read from; it never stands in the file itself."""

    env: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = None
    """The name of an environment variable."""
    file: str | None = None
    """A file that holds it."""
    digest: Annotated[str | None, Field(pattern=rf"^{DIGEST.pattern}$")] = None
    """The SHA-256 of it in hex, which is all that the database keeps."""

    @model_validator(mode="after")
    def _one_of_them(self) -> KeyText:
        if [self.env, self.file, self.digest].count(None) != 2:
            raise ValueError("needs one of `env`, `file` and `digest`")
        return self

    def source(self, folder: pathlib.Path) -> KeySource:
        """With the path counted from `folder`."""
        file = None if self.file is None else folder / pathlib.Path(self.file).expanduser()
        return KeySource(env=self.env, file=file, digest=self.digest)


class PipelineText(Checked):
    """Its hooks are checked one by one, so that a mistake in one does not hide those in the others."""

    id: Annotated[int, Field(ge=1, le=2**53)]
    name: Annotated[str, Field(min_length=3, max_length=80), _PRINTABLE]
    operation: Annotated[str, Field(min_length=1, max_length=20), _PRINTABLE] = "deploy"
    """The type of action an incoming hook starts."""
    team: Annotated[str, Field(max_length=80), _PRINTABLE] = ""
    """Who owns it: alerts of this team are seen beside what its own pipelines deployed."""
    application: Annotated[str, Field(max_length=80), _PRINTABLE] = ""
    """What it deploys."""
    environment: Annotated[str, Field(max_length=80), _PRINTABLE] = ""
    """Where it deploys to."""
    context: Annotated[dict[str, Any], AfterValidator(_own_names)] = Field(default_factory=dict)
    """Laid under the context of every action of this pipeline."""
    integration_key: KeyText | None = None
    """Lets in who reports to this pipeline at /api/deployment-events."""
    incoming_hooks: list[Any] = Field(default_factory=list)
    hooks: list[Any] = Field(default_factory=list)


class HeaderText(Checked):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    value: Annotated[str, Field(max_length=4096)]


class RequestText(Checked):
    request_headers: list[HeaderText] = Field(default_factory=list)
    request_body: Annotated[Any, AfterValidator(_body)] = None
    """A mapping, a list, or text; with templates in its texts."""


class LaneText(Checked):
    policy: Literal["latest", "ordered", "none"]
    key: Annotated[str, Field(max_length=1000)] = ""
    """A template; left out: what the request itself changes."""

    def spec(self) -> LaneSpec:
        return LaneSpec(policy=LanePolicy(self.policy), key=self.key)


class RetryText(Checked):
    waits: Annotated[list[Duration] | None, Field(min_length=1, max_length=50)] = None
    """Before the second attempt, the third and so on; the last one repeats."""
    give_up_after: Duration | None = None
    jitter: Annotated[float | None, Field(ge=0, le=1)] = None
    """Up to this share of a wait is added to it."""

    def policy(self) -> RetryPolicy:
        usual = RetryPolicy()
        return RetryPolicy(
            waits=usual.waits if self.waits is None else tuple(self.waits),
            give_up_after=self.give_up_after,
            jitter=usual.jitter if self.jitter is None else self.jitter,
        )


class ResponseText(Checked):
    status: Annotated[
        list[Annotated[str, AfterValidator(_status)]],
        BeforeValidator(_statuses, json_schema_input_type=_STATUSES),
        Field(min_length=1),
    ]
    """Codes such as 400, classes such as 5xx."""
    headers: dict[str, Pattern] = Field(default_factory=dict)
    body: Pattern = ""
    """A regular expression, searched for without regard to case."""
    then: Literal["success", "retry", "permanent"]
    tries: Annotated[int | None, Field(ge=1, le=50)] = None
    """With `retry`: the attempt of this number is the last, and what it was answered is believed."""
    after: Duration | None = None
    """With `retry`: how long to send nothing there on this account, when the answer does not say."""
    because: Annotated[str, Field(max_length=300)] = "the hook's own response rule"

    @model_validator(mode="after")
    def _only_what_is_tried_again_has_tries_and_a_pause(self) -> ResponseText:
        for name in ("tries", "after"):
            if getattr(self, name) is not None and self.then != "retry":
                raise MisplacedError("goes with `then: retry` only", name)
        return self

    def rule(self) -> ResponseRule:
        return ResponseRule(
            statuses=tuple(self.status),
            then=Ruling(self.then),
            because=self.because,
            headers=self.headers,
            body=self.body,
            tries=self.tries,
            after=self.after,
        )


def _lane(value: Any) -> Any:
    return {"policy": value} if isinstance(value, str) else value


Lane = Annotated[
    LaneText | None,
    BeforeValidator(_lane, json_schema_input_type=LaneText | Literal["latest", "ordered", "none"] | None),
]


class SigningText(Checked):
    secret: SecretName | None = None
    """The name of a secret."""
    secrets: Annotated[list[SecretName] | None, Field(min_length=1, max_length=5)] = None
    """Several, while one is replaced by another: requests are signed with each."""
    scheme: Literal["standard", "github"] = "standard"
    """standard: Standard Webhooks; github: X-Hub-Signature-256."""

    @model_validator(mode="after")
    def _fit(self) -> SigningText:
        if (self.secret is None) == (self.secrets is None):
            raise ValueError("needs either `secret` or `secrets`")
        if self.scheme == "github" and self.secret is None:
            raise MisplacedError("GitHub's header holds one signature: name one `secret`", "secrets")
        return self

    def signing(self) -> Signing:
        names = [self.secret] if self.secret is not None else self.secrets or []
        return Signing(secrets=tuple(names), scheme=SigningScheme(self.scheme))


def _signing(value: Any) -> Any:
    return {"secret": value} if isinstance(value, str) else value


class HookText(Checked):
    """What every hook may say."""

    id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None
    """Stays when name or events change; left out: made of pipeline, name and events."""
    pipeline: int | str | None = None
    """Only for hooks at the top level: the pipeline's name or id; left out: all pipelines."""
    active: bool = True
    action_type: Annotated[str | None, Field(min_length=1, max_length=40)] = None
    trigger_when: TriggerText = TriggerText()
    lane: Lane = None
    retry: RetryText = RetryText()
    timeout: Timeout | None = None
    """From connecting to the last byte read."""
    rate: RateText | None = None
    """How many requests the credential it uses may carry, such as 10/min, on all nodes together."""
    signing: Annotated[
        SigningText | None,
        BeforeValidator(_signing, json_schema_input_type=SigningText | SecretName | None),
    ] = None
    """With which secret requests are signed; commit-status calls never are."""
    responses: list[ResponseText] = Field(default_factory=list)
    """Looked at in order, before the rules of the preset and the engine."""


class PresetHookText(HookText):
    """A preset with its blanks filled."""

    preset: str
    name: Name | None = None
    with_: Annotated[dict[str, Any], Field(alias="with")] = Field(default_factory=dict)
    confirm: bool = False
    """Ask the host what it shows a while after an action has ended, and tell it once more if that is wrong."""
