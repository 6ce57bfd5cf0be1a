"""An engine whose doors are open on a real socket, with a target that its hooks call."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hookengine.simulators import GitHub, serve
from hookengine.web.server import answering, listening
from tests.acceptance.configs import PATIENCE, TOKEN, Config, a_config, a_hook
from tests.acceptance.engines import Opened, opened
from tests.acceptance.hosts import GITHUB

API = {"Authorization": "Bearer api-token-31f0"}
WEBHOOK_SECRET = "the-webhook-shows-this"
KEY = "hki_0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ENVIRONMENT = {"API_TOKEN": "api-token-31f0", "WEBHOOK_SECRET": WEBHOOK_SECRET, "SHOP_KEY": KEY}
CASES = Path(__file__).parents[1] / "cases" / "sources"


@dataclass(frozen=True)
class Told:
    """The engine, a client at its doors that has no token, and the host whose commit statuses it writes."""

    engine: Opened
    client: httpx.AsyncClient
    host: GitHub

    async def post(self, path: str, body: Any, headers: Mapping[str, str] = {}) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": "application/json", **headers}
        return await self.client.post(path, content=content, headers=named)

    async def settled(self) -> None:
        """Until every delivery has ended."""
        page = await self.client.get("/api/deliveries?limit=500", headers=API)
        for delivery in page.json()["items"]:
            if delivery["status"] in ("queued", "sending", "retrying"):
                await self.engine.ended(delivery["id"])

    async def deliveries(self) -> list[dict[str, Any]]:
        page = await self.client.get("/api/deliveries?limit=500", headers=API)
        items: list[dict[str, Any]] = page.json()["items"]
        return items


def a_source_config(*hooks: Config, **changes: Any) -> Config:
    """Pipeline 1 shop-deploy has an integration key; GitHub and GitLab have a secret."""
    return a_config(
        *hooks,
        auth={"enabled": True, "tokens": {"main": {"env": "API_TOKEN"}}},
        secrets={"webhook": {"env": "WEBHOOK_SECRET"}, **changes.pop("secrets", {})},
        pipeline={"integration_key": {"env": "SHOP_KEY"}, **changes.pop("pipeline", {})},
        **changes,
    )


@asynccontextmanager
async def told(folder: Path, *hooks: Config, **changes: Any) -> AsyncIterator[Told]:
    """With hooks of its own, or one that writes every state of an action as a commit status."""
    host = GitHub(tokens={TOKEN})
    environ = {"TOKEN_OF_HOSTS": TOKEN, **ENVIRONMENT}
    async with serve([host]) as (address,):
        config = a_source_config(*(hooks or (GITHUB.preset_hook(address),)), **changes)
        async with opened(folder, config, environ=environ) as engine:
            listener = listening("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with (
                answering(engine.engine.web(), listener),
                httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client,
            ):
                yield Told(engine, client, host)


def quiet_hook(*events: str, **changes: Any) -> Config:
    """One that is matched, and whose delivery nobody waits for."""
    return a_hook("https://target.example/{{ event.type }}", *events, **changes)


def example(source: str, name: str) -> tuple[dict[str, str], Any]:
    """Headers and body of a documented request."""
    (found,) = [case for case in json.loads((CASES / f"{source}.json").read_text()) if case["name"] == name]
    return found.get("headers", {}), found["body"]


def github_signature(body: bytes) -> dict[str, str]:
    digest = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}
