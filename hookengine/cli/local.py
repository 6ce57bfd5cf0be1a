"""The API without a server: over the database of a configuration, in this process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx

from hookengine.cli.client import Client

_BASE = "http://database"


class LocalClient(Client):
    """Whoever may read the database may do everything. What is to be sent waits for a node that delivers."""

    def __init__(self, config: Path) -> None:
        super().__init__(_BASE)
        self._config = config

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        return asyncio.run(self._asked(method, path, **request))

    async def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Raises ConfigError, StoreError."""
        from hookengine.app import HookEngine
        from hookengine.config import read_config

        settings, manifest = read_config(self._config, os.environ)
        everybody = settings.model_copy(update={"auth": settings.auth.model_copy(update={"enabled": False})})
        async with HookEngine.open((everybody, manifest), deliver=False, apply=False) as engine:
            transport = httpx.ASGITransport(app=engine.web())
            async with httpx.AsyncClient(transport=transport, base_url=_BASE) as client:
                return await client.request(method, path, **request)
