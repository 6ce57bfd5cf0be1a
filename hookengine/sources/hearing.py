"""Reports in: let in, read, find the pipeline, and accept what they come to as events."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hookengine.domain.event import Event
from hookengine.domain.event_list import parse_all
from hookengine.domain.pipeline import Pipeline
from hookengine.engine.triggers import BadSignature
from hookengine.errors import EventConflict, InvalidEvent
from hookengine.guard.integration_key import digest_of_key
from hookengine.sources import cdevents, cloudevents, github, gitlab, ilert, sei
from hookengine.sources.body import form_payload, parsed_object
from hookengine.sources.facts import known
from hookengine.sources.report import Heard, Report

Document = Mapping[str, Any]
Headers = Mapping[str, str]
Routed = tuple[Report, int | str]
"""A report, and the pipeline it is about."""


LONGEST_ID = 18  # digits


class Accepts(Protocol):
    async def accept(self, events: Sequence[Event]) -> list[dict[str, Any]]: ...


class FindsPipelines(Protocol):
    def find_pipeline(self, reference: int | str) -> Pipeline | None: ...

    def pipeline_of_key(self, digest: str) -> Pipeline | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the operator wants one source. `secret` names the secret that its requests must show; empty: none, and
    they need a token of the API. `pipeline_path` is where a document names its pipeline, and `pipeline` is the
    one that counts where it names none that is known."""

    secret: str = ""
    pipeline: str = ""
    pipeline_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """`events` were accepted, now or before, and are durable; `ignored` says why the rest came to nothing."""

    events: tuple[Mapping[str, Any], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Who asked for it is to name this instance in its reports."""

    instance: Mapping[str, Any]


def _anything(events: Sequence[Event]) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRequest:
    """`headers` have lower-case names; `pipeline` is the name or id in the address, if one is there. `check` raises
    InvalidEvent for events that whoever sent it must not tell."""

    body: bytes
    headers: Headers
    pipeline: str = ""
    check: Callable[[Sequence[Event]], None] = _anything


class Hearing:
    """`setups` are those of the sources that are on. `secret` gives a secret's value, or raises SecretMissing.

    The methods raise BadSignature, InvalidEvent, SecretMissing and StoreError.
    """

    def __init__(
        self,
        intake: Accepts,
        pipelines: FindsPipelines,
        setups: Mapping[str, Setup],
        secret: Callable[[str], Awaitable[str]],
    ) -> None:
        self._intake = intake
        self._pipelines = pipelines
        self._secret = secret
        self.setups = setups

    async def github(self, request: ForeignRequest) -> Taken:
        await self._check("github", github.admits, request)
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        document = parsed_object(form_payload(request.body) if form else request.body)
        heard = github.hear(document, request.headers)
        return await self._take("github", self._routed("github", heard, document, request), heard, request)

    async def gitlab(self, request: ForeignRequest) -> Taken:
        await self._check("gitlab", gitlab.admits, request)
        document = parsed_object(request.body)
        heard = gitlab.hear(document, request.headers)
        return await self._take("gitlab", self._routed("gitlab", heard, document, request), heard, request)

    async def ilert(self, request: ForeignRequest) -> Taken:
        """The integration key in the body lets in, and says which pipeline it is."""
        document = parsed_object(request.body)
        pipeline = self._pipelines.pipeline_of_key(digest_of_key(ilert.key_of(document)))
        if pipeline is None:
            raise BadSignature(f"no pipeline has this {ilert.KEY}")
        heard = ilert.hear(document)
        return await self._take("ilert", [(report, pipeline.id) for report in heard.reports], heard, request)

    async def sei(self, request: ForeignRequest) -> Taken | Registered:
        document = parsed_object(request.body)
        if (instance := sei.registered(document)) is not None:
            return Registered(instance=instance)
        run = sei.unwrapped(document)
        heard = sei.hear(run)
        return await self._take("sei", self._routed("sei", heard, run, request), heard, request)

    async def cloudevents(self, request: ForeignRequest) -> Taken:
        """Raises NotACloudEvent and UnknownFormat, too. All of a batch is accepted, or nothing of it."""
        routed: list[Routed] = []
        ignored: list[str] = []
        for event in cloudevents.opened(request.body, request.headers):
            heard = cdevents.hear(event)
            routed += self._routed("cloudevents", heard, event, request)
            ignored += heard.ignored
        return await self._take("cloudevents", routed, Heard(ignored=tuple(ignored)), request)

    async def _check(
        self, source: str, admits: Callable[[str, bytes, Headers], bool], request: ForeignRequest
    ) -> None:
        name = self.setups[source].secret
        if name and not admits(await self._secret(name), request.body, request.headers):
            raise BadSignature(
                f"the request does not show the secret of the webhook, so {source} has not sent it"
            )

    def _pipeline(self, source: str, document: Document, request: ForeignRequest) -> int | str:
        """Not necessarily one that there is. Raises InvalidEvent when nobody says which."""
        setup = self.setups[source]
        if request.pipeline:
            return self._reference(request.pipeline)
        said = known(document, setup.pipeline_path) if setup.pipeline_path else None
        if isinstance(said, int | str) and self._pipelines.find_pipeline(said) is not None:
            return said
        if setup.pipeline:
            return self._reference(setup.pipeline)
        if said:
            return str(said) if not isinstance(said, int) else said
        place = setup.pipeline_path or "pipeline"
        hint = f"name it in the address, or set sources.{source}.pipeline or sources.{source}.pipeline_path"
        raise InvalidEvent({place: [f"The request does not say which pipeline it is about: {hint}."]})

    def _reference(self, named: str) -> int | str:
        """Digits are an id, unless they are nobody's id and some pipeline's name: nobody takes the place of another
        by a name."""
        if not (named.isascii() and named.isdecimal() and len(named) <= LONGEST_ID):
            return named
        is_id = self._pipelines.find_pipeline(int(named)) is not None
        return int(named) if is_id or self._pipelines.find_pipeline(named) is None else named

    def _routed(self, source: str, heard: Heard, document: Document, request: ForeignRequest) -> list[Routed]:
        return [(report, self._pipeline(source, document, request)) for report in heard.reports]

    async def _take(
        self, source: str, routed: Sequence[Routed], heard: Heard, request: ForeignRequest
    ) -> Taken:
        documents = [report.document(source, pipeline, secrets.token_hex(16)) for report, pipeline in routed]
        events = parse_all(documents)
        request.check(events)
        return await self._accept(events, heard.ignored)

    async def _accept(self, events: Sequence[Event], ignored: tuple[str, ...]) -> Taken:
        """What was told before in other words does not count: the first telling does."""
        while events:
            try:
                return Taken(events=tuple(await self._intake.accept(events)), ignored=ignored)
            except EventConflict as conflict:
                others = [event for event in events if event.id != conflict.event_id]
                if len(others) == len(events):
                    raise
                events, ignored = others, (*ignored, f"{conflict.event_id} was told before, in other words")
        return Taken(ignored=ignored)
