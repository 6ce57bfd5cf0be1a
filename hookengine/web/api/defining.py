"""All routes that define pipelines and hooks, or try them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

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
from hookengine.web.api.wing import Wing


@dataclass(frozen=True, slots=True, kw_only=True)
class Defining:
    """What they talk to. `public_url` is where senders find the API; empty: where whoever asks has found it."""

    editor: Editor
    trials: Trials
    secrets: SecretDesk
    store: Store
    public_url: str = ""

    def wings(self) -> Iterator[Wing]:
        """First those whose shape is Devopness'."""
        shaped = partial(devopness_router, self.editor, self.public_url)
        yield Wing(("/hooks", "/pipelines", "/applications"), shaped, strict=False)
        sent = partial(hook_requests_router, self.editor, self.store, self.public_url)
        yield Wing(("/hooks", "/hook-requests"), sent, strict=False)
        yield Wing(("/api/pipelines",), partial(pipelines_router, self.editor, self.public_url))
        yield Wing(("/api/hooks",), partial(trials_router, self.editor, self.trials))
        yield Wing(("/api/hooks",), partial(hooks_router, self.editor))
        yield Wing(("/api/hooks",), partial(signing_router, self.editor))
        yield Wing(("/api/incoming-hooks",), partial(incoming_hooks_router, self.editor, self.public_url))
        yield Wing(("/api/secrets",), partial(secrets_router, self.secrets, self.editor))
