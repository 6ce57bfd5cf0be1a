"""An engine on either database with its API, and a GitHub to tell about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from hookengine.domain.clock import SystemClock
from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import TOKEN, Config, a_config, sha_of
from tests.acceptance.engines import Opened, opened
from tests.acceptance.hosts import GITHUB

OTHER = {"id": 2, "name": "docs-deploy", "team": "red", "application": "docs", "environment": "production"}


class World:
    def __init__(self, engine: Opened, github: GitHub, api: httpx.AsyncClient) -> None:
        self.engine, self.github, self.api = engine, github, api

    async def tell(self, document: Any) -> str:
        """Accept an event that owes one delivery, and wait until that has ended; its id."""
        (delivery,) = await self.engine.accept(document)
        await self.engine.ended(delivery)
        return delivery

    async def get(self, path: str, expected: int = 200, /, **params: Any) -> Any:
        answer = await self.api.get(path, params=params)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def post(self, path: str, document: Any = None, expected: int = 200) -> Any:
        answer = await self.api.post(path, json=document)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def listed(self, **params: Any) -> list[str]:
        return [item["id"] for item in (await self.get("/api/deliveries", **params))["items"]]


def a_world_config(address: str, **changes: Any) -> Config:
    """Pipeline 1 has the preset for commit statuses; pipeline 2 has the team `red` and no hook."""
    config = a_config(GITHUB.preset_hook(address, id="status"), **changes)
    config["pipelines"].append(OTHER)
    return config


@asynccontextmanager
async def a_world(folder: Path, database: str, **changes: Any) -> AsyncIterator[World]:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,):
        config = changes.pop("config", a_world_config)(address, database=database)
        clock = changes.pop("clock", SystemClock())
        async with opened(folder, config, clock, **changes) as engine:
            transport = httpx.ASGITransport(app=engine.engine.web())
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as api:
                yield World(engine, github, api)


__all__ = ["World", "a_world", "a_world_config", "sha_of"]
