"""Where commands find what is defined: a server's API, or the database of the configuration. Both show the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_PAGE = 500
_VERBS = {"active": "enable", "paused": "pause", "disabled": "disable"}


class Place(Protocol):
    def hooks(self) -> list[dict[str, Any]]: ...

    def pipelines(self) -> list[dict[str, Any]]: ...

    def switch(self, hook_id: str, state: str, because: str) -> None: ...


def place_of(client: Client | None, config: Path) -> Place:
    return _Database(config) if client is None else _Server(client)


class _Server:
    def __init__(self, client: Client) -> None:
        self._client = client

    def hooks(self) -> list[dict[str, Any]]:
        return self._all("/api/hooks")

    def pipelines(self) -> list[dict[str, Any]]:
        return self._all("/api/pipelines")

    def switch(self, hook_id: str, state: str, because: str) -> None:
        body = json.dumps({"reason": because} if because else {}).encode()
        self._client.post(f"/api/hooks/{{}}/{_VERBS[state]}", body, identity=hook_id)

    def _all(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after = None
        while True:
            page = self._client.get(path, {"limit": _PAGE, "after": after})
            items += page["items"]
            after = page["next"]
            if after is None:
                return items


class _Database:
    def __init__(self, config: Path) -> None:
        from hookengine.cli.checking import newest_database
        from hookengine.config import load_settings

        self._url = newest_database(load_settings(config, os.environ))

    def hooks(self) -> list[dict[str, Any]]:
        from hookengine.app.looking import hooks_beside

        return hooks_beside(self._url)

    def pipelines(self) -> list[dict[str, Any]]:
        from hookengine.app.looking import pipelines_beside

        return pipelines_beside(self._url)

    def switch(self, hook_id: str, state: str, because: str) -> None:
        from hookengine.app.looking import switch_beside
        from hookengine.domain.hook import HookState

        switch_beside(self._url, hook_id, HookState(state), because)
