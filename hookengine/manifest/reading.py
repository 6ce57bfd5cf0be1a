"""A document becomes a manifest: everything in it is checked before anything is believed."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.errors import ConfigError, NotFound
from hookengine.guard.permissions import Permissions
from hookengine.manifest.checking import Findings, unknown_name
from hookengine.manifest.document import Document, Location
from hookengine.manifest.hooks import (
    NAMED_UNDER,
    check_blanks,
    check_confirm,
    check_lane,
    check_secrets,
    check_signing,
    check_templates,
    plain_hook,
    preset_hook,
)
from hookengine.manifest.key_source import KeySource
from hookengine.manifest.presets import Presets, shipped_presets
from hookengine.manifest.requests import PlainText, SeveralText
from hookengine.manifest.schema import HookText, IncomingText, PipelineText, PresetHookText
from hookengine.manifest.wish import Manifest

KEYS = frozenset({"pipelines", "hooks"})
"""The keys of a file that are read here; all others are settings."""


def read(
    documents: Document | Sequence[Document],
    *,
    secret_names: Collection[str] | None = None,
    presets: Presets | None = None,
    permissions: Permissions = Permissions(),  # noqa: B008  frozen
    pipelines: Mapping[int | str, int] | None = None,
) -> Manifest:
    """Several documents count as one. Raises ConfigError with everything that is wrong.

    `secret_names`: None if nobody knows them. `pipelines` are the ids of those that hooks may name although no
    document defines them, by name and by id.
    """
    if isinstance(documents, Document):
        documents = [documents]
    gathered = _Gathered()
    readings = [
        _Reading(document, secret_names, presets or shipped_presets(), permissions, gathered)
        for document in documents
    ]
    inside = [reading.pipelines() for reading in readings]
    for reference, pipeline_id in (pipelines or {}).items():
        gathered.owners.setdefault(reference, pipeline_id)
    for reading, items in zip(readings, inside, strict=True):
        reading.hooks(items)
    problems = [problem for reading in readings for problem in reading.findings.sorted()]
    if problems:
        raise ConfigError(problems)
    return Manifest(
        pipelines=tuple(gathered.pipelines),
        hooks=tuple(gathered.hooks),
        incoming_hooks=tuple(gathered.incoming_hooks),
        integration_keys=gathered.integration_keys,
    )


@dataclass
class _Gathered:
    """From all documents. `owners` are ids by name and id; that of a wrong pipeline is one that none can have."""

    pipelines: list[Pipeline] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    incoming_hooks: list[IncomingHook] = field(default_factory=list)
    integration_keys: dict[int, KeySource] = field(default_factory=dict)
    owners: dict[int | str, int] = field(default_factory=dict)
    wrong_pipelines: int = 0
    taken: dict[tuple[str, Any], tuple[Document, Location]] = field(default_factory=dict)


@dataclass
class _Reading:
    document: Document
    secret_names: Collection[str] | None
    presets: Presets
    permissions: Permissions
    gathered: _Gathered
    findings: Findings = field(init=False)

    def __post_init__(self) -> None:
        self.findings = Findings(self.document)

    def pipelines(self) -> list[tuple[Any, Location, int]]:
        """What stands at the top of each, where, and its id: what is inside of them may refer to any."""
        self.findings.add([problem for at, problem in self.document.faults if at and at[0] in KEYS])
        items = self._items(self.document.data, "pipelines", ())
        return [(item, at, self._pipeline(item, at)) for item, at in items]

    def hooks(self, pipelines: Sequence[tuple[Any, Location, int]]) -> None:
        for item, at, owner in pipelines:
            self._inside(item, at, owner)
        for item, at in self._items(self.document.data, "hooks", ()):
            self._hook(item, at, None)

    def _items(self, holder: Any, key: str, at: Location) -> Iterator[tuple[Any, Location]]:
        """The entries of a list, which is told to be wrong only where no schema does it."""
        value = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield item, (*at, key, number)
        elif value is not None and not at:
            self.findings.wrong((key,), "must be a list")

    def _pipeline(self, item: Any, at: Location) -> int:
        """Its id; one that no pipeline can have if it is wrong, so that its hooks are still checked."""
        text = self.findings.check(PipelineText, item, at)
        self.gathered.wrong_pipelines += text is None
        owner = -self.gathered.wrong_pipelines if text is None else text.id
        for key in ("name", "id"):
            if isinstance(item, dict) and isinstance(item.get(key), int | str):
                self.gathered.owners.setdefault(item[key], owner)
        if text is None:
            return owner
        self._claim("pipeline id", text.id, (*at, "id"))
        self._claim("pipeline name", text.name, (*at, "name"))
        if text.integration_key is not None:
            self.gathered.integration_keys[text.id] = text.integration_key.source(self.document.folder)
        self.gathered.pipelines.append(
            Pipeline(
                id=text.id,
                name=text.name,
                operation=text.operation,
                team=text.team,
                application=text.application,
                environment=text.environment,
                context=text.context,
            )
        )
        return owner

    def _inside(self, item: Any, at: Location, owner: int) -> None:
        for inner, place in self._items(item, "incoming_hooks", at):
            self._incoming(inner, place, owner)
        for inner, place in self._items(item, "hooks", at):
            self._hook(inner, place, owner)

    def _claim(self, kind: str, value: Any, at: Location) -> None:
        if first := self._earlier(kind, value, at):
            self.findings.wrong(at, f"the {kind} {value!r} is taken, see {first}")

    def _earlier(self, kind: str, value: Any, at: Location) -> str:
        """Where the same stood before, if it did."""
        document, first = self.gathered.taken.setdefault((kind, value), (self.document, at))
        return "" if document is self.document and first == at else document.place(first)

    def _incoming(self, item: Any, at: Location, owner: int) -> None:
        hints: dict[Location, str] = {("id",): f"a fresh one: {uuid.uuid4()}"}
        text = self.findings.check(IncomingText, item, at, hints=hints)
        if text is None:
            return
        self._claim("incoming hook id", text.id, (*at, "id"))
        for number, variable in enumerate(text.variables):
            if variable.name in {earlier.name for earlier in text.variables[:number]}:
                self.findings.wrong((*at, "variables", number, "name"), f"'{variable.name}' stands twice")
        if text.secret and self.secret_names is not None and text.secret not in self.secret_names:
            self.findings.wrong(
                (*at, "secret"),
                unknown_name("secret", text.secret, self.secret_names),
                hint=NAMED_UNDER,
            )
        self.gathered.incoming_hooks.append(
            IncomingHook(
                id=text.id,
                name=text.name,
                pipeline_id=owner,
                variables=tuple(variable.variable() for variable in text.variables),
                conditions=tuple(condition.condition() for condition in text.trigger_when.conditions),
                secret=text.secret,
                signature_header=text.signature_header.lower(),
                active=text.active,
            )
        )

    def _hook(self, item: Any, at: Location, owner: int | None) -> None:
        """`owner` is the pipeline it stands in; None at the top level."""
        text: PlainText | SeveralText | PresetHookText | None
        if isinstance(item, dict) and "preset" in item:
            text = self.findings.check(PresetHookText, item, at)
        elif isinstance(item, dict) and "requests" in item:
            text = self.findings.check(SeveralText, item, at)
        else:
            text = self.findings.check(PlainText, item, at)
        if text is None:
            return
        hook = self._built(text, at, self._owner(text, at) if owner is None else owner)
        if owner is not None and text.pipeline is not None:
            self.findings.wrong(
                (*at, "pipeline"), "a hook inside of a pipeline belongs to that one", key=True
            )
        if hook is not None:
            self._once(hook, at)
            check_lane(hook, at, self.findings)
            check_templates(hook, at, self.permissions, self.findings)
            if self.secret_names is not None:
                check_secrets(item, at, self.secret_names, self.findings)
                check_signing(hook, at, self.secret_names, self.findings)
            self.gathered.hooks.append(hook)

    def _built(
        self, text: PlainText | SeveralText | PresetHookText, at: Location, owner: int | None
    ) -> Hook | None:
        if not isinstance(text, PresetHookText):
            return plain_hook(text, owner)
        try:
            preset = self.presets.get(text.preset)
        except NotFound:
            self.findings.wrong((*at, "preset"), unknown_name("preset", text.preset, self.presets.names))
        except ConfigError as error:
            self.findings.add(error.problems)
        else:
            check_confirm(text, preset, at, self.findings)
            if check_blanks(text, preset, at, self.findings):
                return preset_hook(text, preset, owner)
        return None

    def _owner(self, text: HookText, at: Location) -> int | None:
        if text.pipeline is None:
            return None
        if text.pipeline not in self.gathered.owners:
            known = [str(name) for name in self.gathered.owners]
            self.findings.wrong((*at, "pipeline"), unknown_name("pipeline", str(text.pipeline), known))
        return self.gathered.owners.get(text.pipeline)

    def _once(self, hook: Hook, at: Location) -> None:
        if first := self._earlier("hook", hook.id, at):
            self.findings.wrong(
                at,
                f"is the same hook as {first}: pipeline, name and events are equal",
                hint="give one of them another name, or an `id` of its own",
            )
