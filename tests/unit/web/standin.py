"""Stands in for everything behind the doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from hookengine.domain.token import Scope, Token
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.triggers import Triggered
from hookengine.guard.tokens import TokenRing, digest_of
from hookengine.sources import Hearing
from hookengine.store.care import Definitions
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.defining import Defining
from hookengine.web.api.reading import Reading
from hookengine.web.app import Doors, create_web
from hookengine.web.limits import Bounds
from tests.conftest import Clock, make_pipeline

LARGEST = 2_000
PIPELINES = (make_pipeline(id=1, name="shop", team="shop"), make_pipeline(id=2, name="till", team="till"))
TOKEN = {"Authorization": "Bearer let-me-in"}
OWED = {"id": "chat", "name": "tell the chat", "delivery": "dlv_1"}


class Engine:
    """Everything behind the doors: answers, or raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.api = True
        self.metrics_public = False
        self.bounds = Bounds(largest_body=LARGEST)
        self.accepted: list[Any] = []
        self.triggered: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.started = Triggered(action_id=7, answer={"id": "evt_1", "action": {"id": 7}, "hooks": [OWED]})

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    async def accept(self, events: list[Any]) -> list[dict[str, Any]]:
        self._raise()
        self.accepted += events
        return [{"id": event.id} for event in events]

    async def trigger(self, hook_id: str, body: bytes, headers: Mapping[str, str]) -> Triggered:
        self._raise()
        self.triggered.append((hook_id, body, headers))
        return self.started

    def seen_by(self, seen: Any) -> Engine:
        return self

    async def deliveries(self, wanted: Any, page: Any) -> list[dict[str, Any]]:
        self._raise()
        return [{**examples.BRIEFLY, "id": f"dlv_{number}"} for number in range(min(page.limit, 3))]

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        self._raise()
        return {**examples.DELIVERY, "id": delivery_id}

    async def secret(self, name: str) -> str:
        return name

    async def ready(self) -> None:
        self._raise()

    async def text(self, accept: str) -> tuple[bytes, str]:
        self._raise()
        return f"as {accept}".encode(), "text/plain; version=0.0.4; charset=utf-8"

    def doors(self, callers: TokenRing) -> Doors:
        return Doors(
            api=self.api,
            intake=self,  # type: ignore[arg-type]
            triggers=self,  # type: ignore[arg-type]
            reading=Reading(
                records=self,  # type: ignore[arg-type]
                pipelines=self,  # type: ignore[arg-type]
                explainer=self,  # type: ignore[arg-type]
                replayer=self,  # type: ignore[arg-type]
                replays=self,  # type: ignore[arg-type]
                clock=Clock(),
            ),
            defining=Defining(editor=self, trials=self, secrets=self, store=self),  # type: ignore[arg-type]
            ready=self.ready,
            metrics=self,
            metrics_public=self.metrics_public,
            sources=Hearing(self, Catalogue(), {}, self.secret),  # type: ignore[arg-type]
            callers=callers,
            applier=self,  # type: ignore[arg-type]
            tokens=self,  # type: ignore[arg-type]
            catalogue=Catalogue(Definitions(pipelines=PIPELINES)),
            bounds=self.bounds,
            version="0",
        )


def token(text: str, *scopes: Scope, team: str | None = None) -> Token:
    scopes = scopes or (Scope.ADMIN,)
    return Token(id="", name=text, scopes=frozenset(scopes), digest=digest_of(text), team=team)


def client_of(engine: Engine, *tokens: str | Token, asked: bool = True) -> httpx.AsyncClient:
    known = [token(each) if isinstance(each, str) else each for each in tokens]
    app = create_web(engine.doors(TokenRing(known if asked else None)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://engine", headers=TOKEN)
