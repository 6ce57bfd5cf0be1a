"""The shape of the requests of a hook in a file, and of what their answers tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hookengine.domain.capture import Capture
from hookengine.domain.hook import Confirm, HookRequest
from hookengine.manifest.checking import Checked, MisplacedError
from hookengine.manifest.schema import HeaderText, HookText, Method, Name, Path, RequestText, WantingText

R = TypeVar("R", bound="OneOfSeveral")

MOST_REQUESTS: Final = 5

CaptureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]


class CaptureText(Checked):
    path: Path
    """Dotted path into the JSON of the answer, such as `id` or `data.items.0.id`."""
    optional: bool = False
    """The answer need not have it, and requests that use it are sent without it until one has."""


def _capture(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Captures = dict[
    CaptureName,
    Annotated[CaptureText, BeforeValidator(_capture, json_schema_input_type=CaptureText | Path)],
]


class Capturing(Checked):
    """What every request may say of its answer."""

    capture: Captures = Field(default_factory=dict)
    """What is kept of a successful answer, by name: `captured.NAME` in later requests of its lane and action."""

    @property
    def captures(self) -> tuple[Capture, ...]:
        return captures_of(self.capture)


def captures_of(texts: Mapping[str, CaptureText]) -> tuple[Capture, ...]:
    return tuple(Capture(name=name, path=text.path, optional=text.optional) for name, text in texts.items())


class OneOfSeveral(Capturing):
    """One of several requests, which are sent one after another."""

    name: Annotated[str, Field(max_length=60)] = ""
    """What it is called where its delivery is shown."""
    method: Method = "POST"
    once_per: Literal["lane"] | None = None
    """lane: it is not sent where the lane knows for the action what it captures."""

    @model_validator(mode="after")
    def _once_until_something_is_known(self) -> OneOfSeveral:
        if self.once_per is not None and not self.capture:
            raise MisplacedError("needs a `capture`: it is known by it that the request was sent", "once_per")
        return self


class PlainRequestText(OneOfSeveral):
    target_url: Annotated[str, Field(min_length=1, max_length=4096)]
    settings: RequestText = RequestText()

    def request(self) -> HookRequest:
        return HookRequest(
            name=self.name,
            method=self.method,
            target_url=self.target_url,
            headers=tuple((header.name, header.value) for header in self.settings.request_headers),
            body=self.settings.request_body,
            captures=self.captures,
            once_per_lane=self.once_per is not None,
        )


class PlainText(HookText, Capturing):
    """A hook that says its request itself."""

    name: Name
    method: Method = "POST"
    target_url: Annotated[str, Field(min_length=1, max_length=4096)]
    settings: RequestText = RequestText()
    trigger_when: WantingText


def last_for_every_event(requests: list[R]) -> list[R]:
    """Its answer is nobody's but the event's: it may capture, but is sent whatever is known."""
    if requests and requests[-1].once_per is not None:
        raise MisplacedError("the last request is sent for every event", len(requests) - 1, "once_per")
    return requests


Requests = Annotated[
    list[PlainRequestText],
    Field(min_length=1, max_length=MOST_REQUESTS),
    AfterValidator(last_for_every_event),
]


class SeveralText(HookText):
    """A hook of several requests, each a delivery of its own, in order."""

    name: Name
    requests: Requests
    """Sent one after another in an `ordered` lane; the last one is sent for every event."""
    trigger_when: WantingText


class PresetRequest(OneOfSeveral):
    url: str
    headers: list[HeaderText] = Field(default_factory=list)
    body: Any = None


class ConfirmText(Checked):
    """Where its host tells what it shows of what a preset has told it."""

    url: str
    headers: list[HeaderText] | None = None
    """Those of the request, if left out."""
    entries: str = ""
    """Dotted path to the list of what is shown; left out: the answer is the list, or the only entry."""
    match: dict[str, str] = Field(default_factory=dict)
    """Dotted paths in an entry, and what must stand there: the first such entry counts."""
    state: str
    """Dotted path in the entry."""
    expected: str = "{{ params.state }}"
    """What should stand there."""

    def confirm(self, headers: tuple[tuple[str, str], ...], match: Mapping[str, str]) -> Confirm:
        """With the `headers` of the request, unless it has others, and with what is left of its `match`."""
        own = None if self.headers is None else tuple((header.name, header.value) for header in self.headers)
        return Confirm(
            target_url=self.url,
            headers=headers if own is None else own,
            entries=self.entries,
            match=tuple(match.items()),
            state=self.state,
            expected=self.expected,
        )
