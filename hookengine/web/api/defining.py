"""All routes that define pipelines and hooks, or try them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter

from hookengine.engine.secret_desk import SecretDesk
from hookengine.engine.trials import Trials
from hookengine.store.contract import Store
from hookengine.web.api.devopness import devopness_router
from hookengine.web.api.devopness_requests import hook_requests_router
from hookengine.web.api.editor import Editor
from hookengine.web.api.hooks import hooks_router
from hookengine.web.api.incoming_hooks import incoming_hooks_router
from hookengine.web.api.pipelines import pipelines_router
from hookengine.web.api.secrets import secrets_router
from hookengine.web.api.signing import signing_router
from hookengine.web.api.trials import trials_router


@dataclass(frozen=True, slots=True, kw_only=True)
class Defining:
    """What they talk to. `public_url` is where senders find the API; empty: where whoever asks has found it."""

    editor: Editor
    trials: Trials
    secrets: SecretDesk
    store: Store
    public_url: str = ""

    def devopness(self) -> Iterator[APIRouter]:
        """Those whose shape is Devopness'."""
        yield devopness_router(self.editor, self.public_url)
        yield hook_requests_router(self.editor, self.store, self.public_url)

    def routers(self) -> Iterator[APIRouter]:
        """Our own."""
        yield pipelines_router(self.editor, self.public_url)
        yield trials_router(self.editor, self.trials)
        yield hooks_router(self.editor)
        yield signing_router(self.editor)
        yield incoming_hooks_router(self.editor, self.public_url)
        yield secrets_router(self.secrets, self.editor)
