"""API tokens over HTTP: made, used for what they are for, and revoked while the engine runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from hookengine.web.server import answering, listening
from tests.acceptance.configs import a_config, a_hook, event
from tests.acceptance.engines import opened

pytestmark = pytest.mark.anyio

OPERATOR = "the-operators-own-7c2e"


def config() -> dict[str, object]:
    return a_config(
        a_hook("http://127.0.0.1:8080/", lane="none"),
        auth={"enabled": True, "tokens": {"main": {"env": "HOOKENGINE_MAIN_TOKEN"}}},
        pipeline={"team": "shop"},
    )


@asynccontextmanager
async def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The address of an engine that asks for tokens."""
    monkeypatch.setenv("HOOKENGINE_MAIN_TOKEN", OPERATOR)
    async with opened(folder, config(), deliver=False) as running:
        with listening("127.0.0.1", 0) as listener:
            async with answering(running.engine.web(), listener):
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("*.db*"))


def client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"} if token else {}, trust_env=False
    )


async def test_a_token_is_made_used_for_what_it_is_for_and_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, monkeypatch) as url, client(url, OPERATOR) as admin:
        made = await admin.post("/api/tokens", json={"name": "bot", "scopes": ["emit"], "team": "shop"})
        text, token_id = made.json()["token"], made.json()["id"]
        listed = await admin.get("/api/tokens")
        async with client(url, text) as bot:
            accepted = await bot.post("/api/events", json=event("started", 1))
            looked = await bot.get("/api/deliveries")
            minted = await bot.post("/api/tokens", json={"name": "more", "scopes": ["admin"]})
            revoked = await admin.delete(f"/api/tokens/{token_id}")
            gone = await bot.post("/api/events", json=event("started", 2))
        again = await admin.delete(f"/api/tokens/{token_id}")

    assert (made.status_code, accepted.status_code) == (201, 202)
    assert (looked.status_code, minted.status_code) == (403, 403)
    assert (revoked.status_code, revoked.content, gone.status_code, again.status_code) == (204, b"", 401, 404)
    assert [each["id"] for each in listed.json()["items"]] == [token_id]
    assert text not in listed.text
    assert text.rpartition("_")[2].encode() not in everything_in(tmp_path)


async def test_a_token_of_a_team_emits_for_its_own_pipelines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, monkeypatch) as url, client(url, OPERATOR) as admin:
        made = await admin.post("/api/tokens", json={"name": "bot", "scopes": ["emit"], "team": "till"})
        async with client(url, made.json()["token"]) as bot:
            others = await bot.post("/api/events", json=event("started", 1))
            nobodys = await bot.post("/api/events", json=event("started", 1, action={"pipeline": 99}))

    assert (others.status_code, nobodys.status_code) == (422, 422)
    assert others.json()["errors"] == {"action.pipeline": ["There is no pipeline 1."]}
    assert nobodys.json()["errors"] == {"action.pipeline": ["There is no pipeline 99."]}


async def test_nobody_takes_the_ids_of_anothers_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor learns by them that they are there."""
    shops, tills = (
        event("started", 1, id="taken"),
        event("completed", 7, id="taken", action={"pipeline": "tills"}),
    )
    async with serving(tmp_path, monkeypatch) as url, client(url, OPERATOR) as admin:
        await admin.post("/api/pipelines", json={"name": "tills", "team": "till"})
        ask = {"name": "bot", "scopes": ["emit", "deliveries:read", "hooks:read"], "team": "till"}
        made = await admin.post("/api/tokens", json=ask)
        first = await admin.post("/api/events", json=shops)
        async with client(url, made.json()["token"]) as bot:
            unseen = await bot.get("/api/events/taken")
            theirs = await bot.post("/api/events", json=tills)
            seen = await bot.get("/api/events/taken")
            explained = await bot.get("/api/events/taken/explain")
        again = await admin.post("/api/events", json=shops)

    assert (unseen.status_code, theirs.status_code) == (404, 202)
    assert again.json() == first.json()
    assert seen.json()["action"]["id"] == 7
    assert explained.json()["pipeline"]["name"] == "tills"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "bot", "scopes": []},
        {"name": "bot", "scopes": ["write"]},
        {"name": "", "scopes": ["emit"]},
        {"name": "bot", "scopes": ["admin"], "team": "shop"},
        {"name": "bot", "scopes": ["emit"], "team": "shop", "pipeline": 1},
        {"name": "bot", "scopes": ["emit"], "more": 1},
        {"name": "bot", "scopes": ["emit"], "team": ""},
        {"name": "bot", "scopes": ["emit"], "pipeline": 2**63},
        {"name": "bot", "scopes": ["emit"], "pipeline": True},
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    async with serving(tmp_path, monkeypatch) as url, client(url, OPERATOR) as admin:
        answer = await admin.post("/api/tokens", json=wrong)

    assert answer.status_code == 422
    assert answer.json()["message"]
