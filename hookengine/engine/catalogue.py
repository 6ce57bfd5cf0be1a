"""What admins defined, ready to run: pipelines, prepared hooks, incoming hooks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook, Pipeline, new_pipeline
from hookengine.engine.preparing import prepare
from hookengine.engine.rendering import PreparedHook
from hookengine.errors import InvalidEvent, NotFound, TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.store.care import Definitions


class Catalogue:
    """Kept in memory; `load` replaces all of it at once. Leases must outlive the `longest_deadline` of all hooks."""

    def __init__(
        self,
        definitions: Definitions = Definitions(),  # noqa: B008  frozen and empty
        permissions: Permissions = Permissions(),  # noqa: B008  the same
    ) -> None:
        self._permissions = permissions
        self._prepared: dict[tuple[str, int], PreparedHook | TemplateError] = {}
        self.load(definitions)

    def load(self, definitions: Definitions) -> None:
        """A hook that cannot be prepared, because it was saved under other rules, keeps no other from running."""
        self._prepared = {
            (hook.id, hook.revision): self._prepared.get((hook.id, hook.revision)) or self._try(hook)
            for hook in definitions.hooks
        }
        self._hooks = {hook.id: hook for hook in definitions.hooks}
        self._hook_ids: dict[int | None, list[str]] = {}  # by pipeline; None: those of all pipelines
        for hook in definitions.hooks:
            self._hook_ids.setdefault(hook.pipeline_id, []).append(hook.id)
        self._pipelines = {pipeline.id: pipeline for pipeline in definitions.pipelines}
        self._names = {pipeline.name: pipeline for pipeline in definitions.pipelines}
        self._keys = {
            pipeline.integration_key_digest: pipeline
            for pipeline in definitions.pipelines
            if pipeline.integration_key_digest
        }
        self._incoming = {hook.id: hook for hook in definitions.incoming_hooks}
        self.longest_deadline: Millis = max(
            (round(hook.timeout * 1000) for hook in definitions.hooks), default=0
        )

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        return tuple(self._pipelines.values())

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """In the order of their ids."""
        return tuple(self._hooks.values())

    def find_hook(self, hook_id: str) -> Hook | None:
        """As it is now."""
        return self._hooks.get(hook_id)

    def find_incoming(self, hook_id: str) -> IncomingHook | None:
        """Active or not."""
        return self._incoming.get(hook_id)

    @property
    def incoming_hooks(self) -> tuple[IncomingHook, ...]:
        return tuple(self._incoming.values())

    def find_pipeline(self, reference: int | str) -> Pipeline | None:
        if isinstance(reference, int):
            return self._pipelines.get(reference)
        return self._names.get(reference)

    def pipeline_of_key(self, digest: str) -> Pipeline | None:
        """The one whose integration key has this digest."""
        return self._keys.get(digest)

    def pipeline(self, reference: int | str) -> Pipeline:
        """Raises InvalidEvent that lists the likely meant names."""
        found = self.find_pipeline(reference)
        if found is None:
            near = difflib.get_close_matches(str(reference), [*self._names, *map(str, self._pipelines)], n=3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            if not self._pipelines:
                hint = " None is defined yet: `hookengine apply` defines those of a file, and `hookengine serve` too."
            raise InvalidEvent({"action.pipeline": [f"There is no pipeline {reference!r}.{hint}"]})
        return found

    def new_pipeline(self, reference: int | str) -> Pipeline:
        """One of this id or name that is not defined yet."""
        return new_pipeline(reference, {pipeline.id: pipeline.name for pipeline in self.pipelines})

    def hooks_of(self, pipeline: Pipeline) -> list[Hook]:
        """Its own and those of all pipelines, in the order of their ids."""
        own, everyones = self._hook_ids.get(pipeline.id, []), self._hook_ids.get(None, [])
        return [self._hooks[hook_id] for hook_id in (sorted(own + everyones) if everyones else own)]

    def _try(self, hook: Hook) -> PreparedHook | TemplateError:
        try:
            return prepare(hook, self._permissions)
        except TemplateError as error:
            return error

    def prepared(self, hook: Hook) -> PreparedHook:
        """Raises TemplateError."""
        prepared = self._prepared[hook.id, hook.revision]
        if isinstance(prepared, TemplateError):
            raise prepared.again()
        return prepared

    def unfit(self) -> Iterator[tuple[str, TemplateError]]:
        """The hooks that cannot be prepared."""
        for (hook_id, _), prepared in self._prepared.items():
            if isinstance(prepared, TemplateError):
                yield hook_id, prepared

    def hook(self, hook_id: str, revision: int) -> Hook | None:
        """None if this revision is not the one that runs now."""
        hook = self._hooks.get(hook_id)
        return hook if hook is not None and hook.revision == revision else None

    def incoming(self, hook_id: str) -> IncomingHook:
        hook = self._incoming.get(hook_id)
        if hook is None or not hook.active:
            raise NotFound("incoming hook", hook_id)
        return hook

    def switch(self, hook_id: str, state: HookState) -> None:
        """Until it is loaded anew."""
        hook = self._hooks.get(hook_id)
        if hook is not None:
            self._hooks[hook_id] = replace(hook, state=state)
