"""Presets: ready-made hooks with blanks to fill, one file each."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from hookengine.domain.response import ResponseRule
from hookengine.errors import NotFound
from hookengine.manifest.checking import Checked, Findings
from hookengine.manifest.document import load
from hookengine.manifest.requests import MOST_REQUESTS, ConfirmText, PresetRequest, last_for_every_event
from hookengine.manifest.schema import (
    EventName,
    Lane,
    RateText,
    ResponseText,
    RetryText,
    Timeout,
)

_PACKAGE = Path(__file__).resolve().parent.parent


class Param(Checked):
    """A blank. One that is not required and has no default is null."""

    help: str
    required: bool = False
    default: Any = None


class Sample(Checked):
    """Blanks filled, an event, and the requests that must come of them."""

    name: str
    blanks: Annotated[dict[str, Any], Field(alias="with")]
    event: dict[str, Any]
    request: dict[str, Any] | None = None
    requests: Annotated[list[dict[str, Any]], Field(default_factory=list)]

    @property
    def expected(self) -> list[dict[str, Any]]:
        return self.requests if self.request is None else [self.request]


class Preset(Checked):
    """`id` is its file's path without ending, such as `github/commit-status`; `name` is for people."""

    id: str
    name: str
    description: str
    params: dict[str, Param] = Field(default_factory=dict)
    events: Annotated[list[EventName], Field(min_length=1)]
    request: PresetRequest | None = None
    requests: Annotated[
        list[PresetRequest], Field(max_length=MOST_REQUESTS), AfterValidator(last_for_every_event)
    ] = Field(default_factory=list)
    """Instead of `request`, if there are several."""
    confirm: ConfirmText | None = None
    """Where the host can be asked what it shows; asked by hooks that say `confirm: true`."""
    secrets_in_body: bool = False
    """Whether what it calls wants a secret in the body, as ilert does with its integrationKey."""
    lane: Lane = None
    retry: RetryText = RetryText()
    timeout: Timeout = 30_000
    rate: RateText | None = None
    responses: list[ResponseText] = Field(default_factory=list)
    samples: list[Sample] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_or_several(self) -> Preset:
        if (self.request is None) == (not self.requests):
            raise ValueError("needs either `request` or `requests`")
        if self.confirm is not None and self.requests:
            raise ValueError("`confirm` is about one `request`")
        return self

    @property
    def all_requests(self) -> list[PresetRequest]:
        """In the order in which they are sent."""
        return self.requests if self.request is None else [self.request]

    @property
    def rules(self) -> tuple[ResponseRule, ...]:
        return tuple(text.rule() for text in self.responses)


class Presets:
    """The presets of a folder; those that come with hookengine, unless another is given."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or shipped("templates")
        self._loaded: dict[str, Preset] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        files = self._folder.glob("*/*.yaml")
        return tuple(sorted(file.relative_to(self._folder).with_suffix("").as_posix() for file in files))

    def get(self, name: str) -> Preset:
        """Raises NotFound, and ConfigError if the preset's own file is wrong."""
        if name not in self.names:
            raise NotFound("preset", name)
        if name not in self._loaded:
            self._loaded[name] = _read(self._folder / f"{name}.yaml", name)
        return self._loaded[name]

    def responses(self, name: str) -> tuple[ResponseRule, ...]:
        """What this preset knows about its host's answers; of use to every hook that calls that host."""
        return self.get(name).rules


@cache
def shipped_presets() -> Presets:
    """Read once in a process."""
    return Presets()


def shipped(folder: str) -> Path:
    """A folder that comes with hookengine: in a wheel it lies in the package, in a clone beside it."""
    packed = _PACKAGE / "shipped" / folder
    return packed if packed.is_dir() else _PACKAGE.parent / folder


def _read(file: Path, name: str) -> Preset:
    document = load(file)
    findings = Findings(document)
    findings.add([problem for _, problem in document.faults])
    preset = findings.check(Preset, {**document.data, "id": name}, ())
    if preset is None or document.faults:
        raise findings.error()
    return preset
