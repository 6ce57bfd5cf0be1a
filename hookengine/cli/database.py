"""The API without a server: over the database of a configuration, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hookengine.cli.client import Answer
from hookengine.cli.failing import Unreachable

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hookengine.app import HookEngine
    from hookengine.config import Settings

_BASE = "http://database"


class Database:
    """Whoever may open the database may do everything. What is to be sent, a node sends.

    It is opened with the first question, for as long as the command takes; each question sees what nodes and others
    have written before it.
    """

    name = "the database"

    def __init__(self, config: Path) -> None:
        self._config = config
        self._stack = contextlib.AsyncExitStack()
        self._runner = asyncio.Runner()
        self._engine: HookEngine | None = None
        self._apps: dict[str, FastAPI] = {}

    @property
    def server(self) -> str:
        """Where the configuration has a node listen."""
        said = self._settings().server
        host = f"[{said.host}]" if ":" in said.host else said.host
        return said.public_url or f"http://{host}:{said.port}"

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """Raises ConfigError, StoreError."""
        return self._runner.run(self._asked(method, path, body))

    def unreachable(self, reason: str) -> Unreachable:
        return Unreachable(reason)

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _asked(self, method: str, path: str, body: bytes | None) -> Answer:
        import httpx

        if self._engine is None:
            self._engine = await self._open()
        else:
            await self._engine.parts.reloader.reload()
        app = self._app(self._engine, "/".join(path.partition("?")[0].split("/")[:3]))
        headers = {} if body is None else {"content-type": "application/json"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=_BASE) as client:
            response = await client.request(method, path, content=body, headers=headers)
        return Answer(response.status_code, response.content)

    def _app(self, engine: HookEngine, within: str) -> FastAPI:
        """With the routes that begin like this: a command has no use for the others."""
        app = self._apps.get(within)
        if app is None:
            app = self._apps[within] = engine.web(within=within)
        return app

    async def _open(self) -> HookEngine:
        from hookengine.app import HookEngine

        return await self._stack.enter_async_context(HookEngine.beside(self._settings()))

    def _settings(self) -> Settings:
        from hookengine.config import load_settings

        return load_settings(self._config, os.environ)
