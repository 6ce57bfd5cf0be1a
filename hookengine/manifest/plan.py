"""What has to change so that what is defined is what files wish for. Decided here, done by the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from hookengine.domain import manager as managers
from hookengine.domain.definition import Definition, Kind
from hookengine.domain.documents import hook_to_json, incoming_to_json, pipeline_to_json
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.errors import ConfigError, Problem
from hookengine.manifest.difference import Difference, differences
from hookengine.manifest.selector import Selector
from hookengine.manifest.wish import Manifest
from hookengine.store.care import Definitions
from hookengine.store.standing import Changes, Identity, Standing

USUAL: Final = managers.of_files("apply")
"""Who manages what is applied for the first time, unless a selector says who."""


class Verb(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`manager` takes over everything in the manifest; None: what files manage keeps its manager. What files
    manage, the manifest does not name and `prune` covers is to be deleted; None: nothing is."""

    manifest: Manifest
    manager: str | None = None
    prune: Selector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one thing. `pipeline` is the name of the one it belongs to."""

    verb: Verb
    kind: Kind
    id: int | str
    name: str
    pipeline: str | None = None
    fields: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The pipelines first, then the hooks, each kind in the order of the files and then of what is deleted."""

    steps: tuple[Step, ...]
    changes: Changes


def plan(wish: Wish, standing: Standing) -> Plan:
    """Raises ConfigError if two pipelines would have one name."""
    return _Planning(wish, standing).plan()


class _Planning:
    def __init__(self, wish: Wish, standing: Standing) -> None:
        self._wish, self._standing = wish, standing
        self._wished = dict(_things(wish.manifest))
        self._known = dict(_things(standing.definitions))
        self._gone = frozenset(self._pruned())
        both = {**self._known, **self._wished}
        self._pipelines = {thing.id: thing.name for thing in both.values() if isinstance(thing, Pipeline)}

    def plan(self) -> Plan:
        self._check_names()
        steps: list[Step] = []
        written: dict[Identity, Definition] = {}
        managed_by: dict[Identity, str] = {}
        for identity, wished in self._wished.items():
            step, thing = self._step(identity, wished)
            steps.append(step)
            if step.verb is not Verb.UNCHANGED:
                written[identity], managed_by[identity] = thing, self._manager(identity)
        steps += [self._told(Verb.DELETE, key, self._known[key]) for key in self._known if key in self._gone]
        order = list(Kind)
        return Plan(
            steps=tuple(sorted(steps, key=lambda step: order.index(step.kind))),
            changes=Changes(
                version=self._standing.version,
                written=_definitions(written),
                managed_by=managed_by,
                because=self._still_because(written),
                gone=self._gone,
            ),
        )

    def _step(self, identity: Identity, wished: Definition) -> tuple[Step, Definition]:
        """With what is to be written."""
        known = self._known.get(identity)
        if known is None:
            return self._told(Verb.CREATE, identity, wished), wished
        thing = self._kept_back(wished, known)
        fields = [*differences(known, thing), *self._around(identity, kept_back=thing is not wished)]
        if _document(thing) == _document(known) and not fields:
            return self._told(Verb.UNCHANGED, identity, thing), thing
        return replace(self._told(Verb.CHANGE, identity, thing), fields=tuple(fields)), thing

    def _around(self, identity: Identity, *, kept_back: bool) -> Iterator[Difference]:
        """What changes about a thing that is not in its document."""
        because = self._standing.because.get(str(identity[1])) if identity[0] is Kind.HOOK else None
        if because and not kept_back:
            yield Difference(field="because", before=because, after=None)
        before, after = self._standing.managed_by[identity], self._manager(identity)
        if before != after:
            names = managers.name_of(before), managers.name_of(after)
            yield Difference(field="managed_by", before=names[0], after=names[1])

    def _kept_back(self, wished: Definition, known: Definition) -> Definition:
        """A hook that its target sent away (410), or that was paused, stays so until its definition changes, or
        is written disabled."""
        if not isinstance(wished, Hook) or not isinstance(known, Hook):
            return wished
        because = self._standing.because.get(known.id)
        switched = known.state is HookState.PAUSED or (known.state is HookState.DISABLED and because)
        if switched and wished.state is HookState.ACTIVE and hook_to_json(wished) == hook_to_json(known):
            return replace(wished, state=known.state)
        return wished

    def _still_because(self, written: Mapping[Identity, Definition]) -> dict[str, str]:
        """Of hooks that are written, but stay switched off or paused."""
        because = self._standing.because
        return {
            hook.id: because[hook.id]
            for identity, hook in written.items()
            if isinstance(hook, Hook) and hook is not self._wished[identity] and hook.id in because
        }

    def _told(self, verb: Verb, identity: Identity, thing: Definition) -> Step:
        pipeline_id = None if isinstance(thing, Pipeline) else thing.pipeline_id
        return Step(
            verb=verb,
            kind=identity[0],
            id=identity[1],
            name=thing.name,
            pipeline=None if pipeline_id is None else self._pipelines.get(pipeline_id, str(pipeline_id)),
        )

    def _manager(self, identity: Identity) -> str:
        known = self._standing.managed_by.get(identity, "")
        return self._wish.manager or (known if managers.is_files(known) else USUAL)

    def _pruned(self) -> Iterator[Identity]:
        """A pipeline goes when nothing is left that belongs to it."""
        if self._wish.prune is None:
            return
        candidates = [identity for identity in self._known if self._may_go(identity, self._wish.prune)]
        yield from (identity for identity in candidates if identity[0] is not Kind.PIPELINE)
        left = {**self._known, **self._wished}
        for identity in candidates:
            left.pop(identity)
        needed = self._standing.in_use | {
            thing.pipeline_id for thing in left.values() if not isinstance(thing, Pipeline)
        }
        yield from (key for key in candidates if key[0] is Kind.PIPELINE and key[1] not in needed)

    def _may_go(self, identity: Identity, prune: Selector) -> bool:
        manager = self._standing.managed_by[identity]
        if identity in self._wished or not managers.is_files(manager):
            return False
        thing = self._known[identity]
        owner = thing.id if isinstance(thing, Pipeline) else thing.pipeline_id
        pipeline = self._known.get((Kind.PIPELINE, owner)) if owner is not None else None
        return prune.covers(
            {
                "managed-by": {managers.name_of(manager)},
                "kind": {identity[0].replace(" ", "-")},
                "pipeline": {str(owner), pipeline.name} if pipeline else set(),
                "name": {thing.name, str(thing.id)},
            }
        )

    def _check_names(self) -> None:
        owners = {
            thing.name: thing.id
            for identity, thing in self._known.items()
            if isinstance(thing, Pipeline) and identity not in self._wished and identity not in self._gone
        }
        for pipeline in self._wish.manifest.pipelines:
            owner = owners.setdefault(pipeline.name, pipeline.id)
            if owner != pipeline.id:
                said = f"pipeline {owner} has the name {pipeline.name!r} already"
                raise ConfigError([Problem(message=f"{said}; give pipeline {pipeline.id} another")])


def _document(thing: Definition) -> str:
    match thing:
        case Pipeline():
            return pipeline_to_json(thing)
        case IncomingHook():
            return incoming_to_json(thing)
    return f"{thing.state} {hook_to_json(thing)}"


def _things(defined: Manifest | Definitions) -> Iterator[tuple[Identity, Definition]]:
    yield from (((Kind.PIPELINE, pipeline.id), pipeline) for pipeline in defined.pipelines)
    yield from (((Kind.HOOK, hook.id), hook) for hook in defined.hooks)
    yield from (((Kind.INCOMING_HOOK, hook.id), hook) for hook in defined.incoming_hooks)


def _definitions(things: Mapping[Identity, Any]) -> Definitions:
    def of(kind: Kind) -> tuple[Any, ...]:
        return tuple(thing for (of_kind, _), thing in things.items() if of_kind is kind)

    return Definitions(
        pipelines=of(Kind.PIPELINE), hooks=of(Kind.HOOK), incoming_hooks=of(Kind.INCOMING_HOOK)
    )
