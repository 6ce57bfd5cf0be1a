"""What all routes that define something share: a document is checked as in a file, and then defined."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from starlette.requests import Request

from hookengine.domain.definition import Definition, Kind
from hookengine.domain.hook import Hook
from hookengine.domain.identity import new_uuid
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.request import SecretRef
from hookengine.domain.status_call import writes_statuses
from hookengine.domain.token import ANYBODY, Token
from hookengine.engine.definition_desk import OWN, DefinitionDesk
from hookengine.errors import ConfigError, InvalidDefinition, NotFound
from hookengine.guard.integration_key import digest_of_key, new_integration_key
from hookengine.guard.permissions import Permissions
from hookengine.guard.signing import new_signing_secret
from hookengine.guard.vault import NAMED
from hookengine.manifest.checking import Names
from hookengine.manifest.documents import hook_document, incoming_document, pipeline_document
from hookengine.manifest.single import Checks
from hookengine.web.api.bodies import overlaid
from hookengine.web.callers import caller_of

D = TypeVar("D", bound=Definition)
SecretNames = Callable[[int | None, str], Mapping[str, SecretRef]]
"""Which secrets templates of the hook of this id, perhaps none yet, on this pipeline may name, and what that means."""
SigningNames = Callable[[int, str], Collection[str]]
"""Which of them are good for anything when a token writes the hook that is bound to some pipelines."""

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Everything raises InvalidDefinition, NotFound, ManagedElsewhere, Outdated, StoreError.

    What belongs to a pipeline that the caller does not get to see, or to all of them, is to a caller who is bound
    to some as if it were not there.
    """

    desk: DefinitionDesk
    secret_names: SecretNames
    signing_names: SigningNames
    permissions: Permissions
    caller: Token = ANYBODY

    def of(self, request: Request) -> Editor:
        """The same, for whoever asks this."""
        return replace(self, caller=caller_of(request))

    async def pipeline(self, pipeline_id: int) -> Pipeline:
        return self._seen(await self.desk.pipeline(pipeline_id))

    async def hook(self, hook_id: str) -> Hook:
        return self._seen(await self.desk.hook(hook_id))

    async def incoming_hook(self, hook_id: str) -> IncomingHook:
        return self._seen(await self.desk.incoming_hook(hook_id))

    async def pipelines(self) -> list[Pipeline]:
        """By their ids."""
        found = filter(self._sees, (await self.desk.newest()).pipelines)
        return sorted(found, key=lambda pipeline: pipeline.id)

    async def hooks(self) -> list[Hook]:
        """By their ids."""
        return sorted(filter(self._sees, (await self.desk.newest()).hooks), key=lambda hook: hook.id)

    async def incoming_hooks(self) -> list[IncomingHook]:
        """By their ids."""
        found = filter(self._sees, (await self.desk.newest()).incoming_hooks)
        return sorted(found, key=lambda hook: hook.id)

    async def create_hook(self, document: Mapping[str, Any], pipeline_id: int | None) -> Hook:
        if pipeline_id is not None:
            await self.pipeline(pipeline_id)
        hook = self.checked_hook({**document, "id": self._fresh_id(document)}, pipeline_id)
        self._check_signing(hook)
        await self.desk.create(hook)
        return await self.desk.hook(hook.id)

    def checked_hook(self, document: Mapping[str, Any], pipeline_id: int | None) -> Hook:
        """As it would be created. One of all pipelines is nothing for a caller who is bound to some."""
        if pipeline_id is None and self.caller.is_bound:
            raise InvalidDefinition({"pipeline": ["Is required: the token is bound to some."]})
        return self._checks(pipeline_id, "").hook(document, pipeline_id)

    async def change_hook(self, hook_id: str, changes: Mapping[str, Any], *, force: bool) -> Hook:
        """What is not said stays; a hook that is paused stays so unless `active` is said."""
        _refuse_new_id(changes, hook_id)

        def decide(before: Hook) -> Hook:
            self._seen(before)
            document = overlaid(hook_document(before), changes)
            after = self._checks(before.pipeline_id, hook_id).hook(document, before.pipeline_id)
            if (after.signing, after.targets) != (before.signing, before.targets):
                self._check_signing(after)
            return after if changes.get("active") is not None else replace(after, state=before.state)

        changed = await self.desk.change_hook(hook_id, decide, force=force)
        assert changed is not None  # noqa: S101  nothing was deleted
        return changed

    async def renew_signing(self, hook_id: str, *, force: bool) -> str:
        """The secret that its requests are signed with from now on, which nobody can ask for again."""
        if writes_statuses(await self.hook(hook_id)):
            message = "This hook writes commit statuses; these calls are never signed, so it needs no secret."
            raise InvalidDefinition({"signing": [message]})
        secret = new_signing_secret()
        await self.desk.renew_signing(hook_id, secret, force=force)
        return secret

    async def stop_signing(self, hook_id: str, *, force: bool) -> None:
        await self.hook(hook_id)
        await self.desk.stop_signing(hook_id, force=force)

    async def create_incoming_hook(
        self, document: Mapping[str, Any], pipeline_id: int, *, signed: bool
    ) -> tuple[IncomingHook, str | None]:
        """With the secret that its senders have to sign with, if they have to, which nobody can ask for again."""
        await self.pipeline(pipeline_id)
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
            self._seen(before)
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
        await self.incoming_hook(hook_id)
        secret = new_secret()
        await self.desk.renew_secret(hook_id, secret, force=force)
        return secret

    async def create_pipeline(self, document: Mapping[str, Any]) -> tuple[Pipeline, str]:
        """With its integration key, which nobody can ask for again."""
        if self.caller.team is not None:
            document = {"team": self.caller.team, **document}
        pipeline_id = await self.desk.free_pipeline_id()
        if document.get("id") is not None and self.caller.is_bound:
            raise InvalidDefinition({"id": ["Is made by the engine; leave it out."]})
        if document.get("id") in [pipeline.id for pipeline in await self.pipelines()]:
            raise InvalidDefinition({"id": ["Another pipeline has it."]})
        pipeline = self._reached(self._checks(None, "").pipeline({"id": pipeline_id, **document}))
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
            document = overlaid(pipeline_document(self._seen(before)), changes)
            after = self._reached(self._checks(None, "").pipeline(document))
            if self.caller.pipeline_id is not None and after.team != before.team:
                raise InvalidDefinition(
                    {"team": ["Is not for a token to change that is bound to a pipeline."]}
                )
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
            return replace(self._seen(before), integration_key_digest=digest_of_key(key))

        await self.desk.change_pipeline(pipeline_id, decide, force=force)
        return key

    async def delete_hook(self, hook_id: str, *, force: bool) -> None:
        await self.desk.change_hook(hook_id, self._without, force=force)

    async def delete_incoming_hook(self, hook_id: str, *, force: bool) -> None:
        await self.desk.change_incoming_hook(hook_id, self._without, force=force)

    async def delete_pipeline(self, pipeline_id: int, *, force: bool) -> None:
        await self.desk.change_pipeline(pipeline_id, self._without, force=force)

    def _without(self, before: Definition) -> None:
        self._seen(before)

    def _sees(self, definition: Definition) -> bool:
        if not self.caller.is_bound:
            return True
        if isinstance(definition, Pipeline):
            return self.caller.covers(definition)
        owner = definition.pipeline_id
        pipeline = None if owner is None else self.desk.known.find_pipeline(owner)
        return pipeline is not None and self.caller.covers(pipeline)

    def _seen(self, definition: D) -> D:
        if not self._sees(definition):
            raise NotFound(Kind.of(definition), definition.id)
        return definition

    def _reached(self, pipeline: Pipeline) -> Pipeline:
        """Raises InvalidDefinition for one that the caller would not get to see."""
        if not self.caller.covers(pipeline):
            field = "id" if self.caller.team is None else "team"
            raise InvalidDefinition({field: ["Is not what the token is bound to."]})
        return pipeline

    def _check_signing(self, hook: Hook) -> None:
        """Whoever may have chosen bytes signed to anywhere can speak in the name of the secret's owner."""
        if hook.signing is None or hook.pipeline_id is None or not self.caller.is_bound:
            return
        allowed = self.signing_names(hook.pipeline_id, hook.id)
        for name in hook.signing.secrets:
            if name not in allowed:
                advice = f"an operator can set one with --pipeline {hook.pipeline_id}, or name its hosts"
                message = f"Hooks of this token are not signed with everyone's secret '{name}'; {advice}."
                raise InvalidDefinition({"signing": [message]})

    def _checks(self, pipeline_id: int | None, hook_id: str) -> Checks:
        """Where a secret of the file may go is known; where another one of that name may, when it is sent."""
        secrets = self.secret_names(pipeline_id, hook_id)
        audiences = {
            name: hosts
            for name, hosts in (self.permissions.audiences or {}).items()
            if name in secrets and secrets[name].name == f"{NAMED}{name}"
        }
        told = (
            self.signing_names(pipeline_id, hook_id)
            if self.caller.is_bound and pipeline_id is not None
            else secrets
        )
        return Checks(
            secret_names=Names(secrets, told), permissions=replace(self.permissions, audiences=audiences)
        )

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
