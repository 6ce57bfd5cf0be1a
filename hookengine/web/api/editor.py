"""What all routes that define something share: a document is checked as in a file, and then defined."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hookengine.domain.hook import Hook
from hookengine.domain.identity import new_uuid
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.engine.definition_desk import OWN, DefinitionDesk
from hookengine.errors import ConfigError, InvalidDefinition
from hookengine.guard.integration_key import digest_of_key, new_integration_key
from hookengine.guard.permissions import Permissions
from hookengine.manifest.documents import hook_document, incoming_document, pipeline_document
from hookengine.manifest.single import Checks
from hookengine.web.api.bodies import overlaid

SecretNames = Callable[[int | None, str], Collection[str]]
"""Which secrets templates of the hook of this id, perhaps none yet, on this pipeline may name."""

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Everything raises InvalidDefinition, NotFound, ManagedElsewhere, Outdated, StoreError."""

    desk: DefinitionDesk
    secret_names: SecretNames
    permissions: Permissions

    async def create_hook(self, document: Mapping[str, Any], pipeline_id: int | None) -> Hook:
        await self.desk.newest()
        if pipeline_id is not None:
            await self.desk.pipeline(pipeline_id)
        hook_id = self._fresh_id(document)
        hook = self._checks(pipeline_id, "").hook({**document, "id": hook_id}, pipeline_id)
        await self.desk.create(hook)
        return await self.desk.hook(hook_id)

    async def change_hook(self, hook_id: str, changes: Mapping[str, Any], *, force: bool) -> Hook:
        """What is not said stays; a hook that is paused stays so unless `active` is said."""
        _refuse_new_id(changes, hook_id)

        def decide(before: Hook) -> Hook:
            document = overlaid(hook_document(before), changes)
            after = self._checks(before.pipeline_id, hook_id).hook(document, before.pipeline_id)
            return after if changes.get("active") is not None else replace(after, state=before.state)

        changed = await self.desk.change_hook(hook_id, decide, force=force)
        assert changed is not None  # noqa: S101  nothing was deleted
        return changed

    async def create_incoming_hook(
        self, document: Mapping[str, Any], pipeline_id: int, *, signed: bool
    ) -> tuple[IncomingHook, str | None]:
        """With the secret that its senders have to sign with, if they have to, which nobody can ask for again."""
        await self.desk.newest()
        await self.desk.pipeline(pipeline_id)
        hook_id = self._fresh_id(document)
        hook = self._checks(pipeline_id, "").incoming_hook({**document, "id": hook_id}, pipeline_id)
        if not signed:
            await self.desk.create(hook)
            return await self.desk.incoming_hook(hook_id), None
        secret = new_secret()
        await self.desk.create(replace(hook, secret=OWN), secret=secret)
        return await self.desk.incoming_hook(hook_id), secret

    async def change_incoming_hook(
        self, hook_id: str, changes: Mapping[str, Any], *, unsigned: bool = False, force: bool = False
    ) -> IncomingHook:
        """`unsigned`: from now on nobody has to sign."""
        _refuse_new_id(changes, hook_id)

        def decide(before: IncomingHook) -> IncomingHook:
            document = overlaid(incoming_document(before), changes)
            own = document.get("secret") == OWN and before.secret == OWN
            if own or unsigned:
                document.pop("secret", None)
            after = self._checks(before.pipeline_id, "").incoming_hook(document, before.pipeline_id)
            return replace(after, secret=OWN) if own and not unsigned else after

        changed = await self.desk.change_incoming_hook(hook_id, decide, force=force)
        assert changed is not None  # noqa: S101  nothing was deleted
        return changed

    async def renew_secret(self, hook_id: str, *, force: bool) -> str:
        secret = new_secret()
        await self.desk.renew_secret(hook_id, secret, force=force)
        return secret

    async def create_pipeline(self, document: Mapping[str, Any]) -> tuple[Pipeline, str]:
        """With its integration key, which nobody can ask for again."""
        await self.desk.newest()
        pipeline_id = await self.desk.free_pipeline_id()
        pipeline = self._checks(None, "").pipeline({**document, "id": document.get("id", pipeline_id)})
        key = new_integration_key()
        with_key = replace(pipeline, integration_key_digest=digest_of_key(key))
        try:
            await self.desk.create(with_key)
        except ConfigError as error:
            raise _taken(error) from error
        return await self.desk.pipeline(pipeline.id), key

    async def change_pipeline(
        self, pipeline_id: int, changes: Mapping[str, Any], *, force: bool = False
    ) -> Pipeline:
        _refuse_new_id(changes, pipeline_id)

        def decide(before: Pipeline) -> Pipeline:
            document = overlaid(pipeline_document(before), changes)
            after = self._checks(None, "").pipeline(document)
            return replace(after, integration_key_digest=before.integration_key_digest)

        try:
            changed = await self.desk.change_pipeline(pipeline_id, decide, force=force)
        except ConfigError as error:
            raise _taken(error) from error
        assert changed is not None  # noqa: S101  nothing was deleted
        return changed

    async def renew_integration_key(self, pipeline_id: int, *, force: bool) -> str:
        key = new_integration_key()

        def decide(before: Pipeline) -> Pipeline:
            return replace(before, integration_key_digest=digest_of_key(key))

        await self.desk.change_pipeline(pipeline_id, decide, force=force)
        return key

    def _checks(self, pipeline_id: int | None, hook_id: str) -> Checks:
        return Checks(secret_names=self.secret_names(pipeline_id, hook_id), permissions=self.permissions)

    def _fresh_id(self, document: Mapping[str, Any]) -> str:
        if document.get("id") is not None:
            raise InvalidDefinition({"id": ["Is made by the engine; leave it out."]})
        return str(new_uuid(self.desk.now()))


def new_secret() -> str:
    return secrets.token_hex(_SECRET_BYTES)


def _refuse_new_id(changes: Mapping[str, Any], identity: int | str) -> None:
    if changes.get("id") not in (None, identity):
        raise InvalidDefinition({"id": ["Is not the one in the URL, and cannot be changed."]})


def _taken(error: ConfigError) -> InvalidDefinition:
    return InvalidDefinition({"name": [f"{problem.message}." for problem in error.problems]})
