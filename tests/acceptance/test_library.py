from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from hookengine.app import HookEngine
from hookengine.config import load_settings
from hookengine.errors import ConfigError, EventConflict, InvalidEvent, StoreBusy
from hookengine.guard.key_file import new_key_file
from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import TOKEN, a_config, a_hook, event, write_config
from tests.acceptance.engines import opened
from tests.acceptance.hosts import CONTEXT, GITHUB, states

pytestmark = pytest.mark.anyio

OPEN_AGAIN = """
import asyncio
import os
from hookengine.app import HookEngine
from hookengine.errors import StoreBusy

async def main():
    try:
        async with HookEngine.open("config.yaml"):
            print("opened")
    except StoreBusy as error:
        print(error)

asyncio.run(main())
"""


async def test_a_program_embeds_the_engine_and_delivers(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address))) as engine,
    ):
        first = await engine.engine.accept(event("completed", 1, id="once"))
        again = await engine.engine.accept(event("completed", 1, id="once"))
        await engine.ended(first["hooks"][0]["delivery"])

    assert again == first
    assert states(github, 1) == {CONTEXT: "success"}
    assert len(github.received) == 1


async def test_a_program_is_told_what_is_wrong_with_its_events(tmp_path: Path) -> None:
    async with opened(tmp_path, a_config()) as engine:
        await engine.accept(event("started", 1, id="taken"))

        with pytest.raises(InvalidEvent) as wrong:
            await engine.accept({"type": "Started", "action": {"id": 1, "pipeline": 1}})
        with pytest.raises(EventConflict):
            await engine.accept(event("failed", 1, id="taken"))

    assert list(wrong.value.errors) == ["type"]


async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, a_config()):
        other = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", OPEN_AGAIN],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

        with pytest.raises(StoreBusy):
            async with HookEngine.open(tmp_path / "config.yaml"):
                pass

    assert "is in use by process" in other.stdout


async def test_an_engine_that_only_accepts_leaves_delivering_to_the_next(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,):
        config = a_config(GITHUB.preset_hook(address))
        async with opened(tmp_path, config, deliver=False) as engine:
            (delivery,) = await engine.accept(event("completed", 1))
            queued = await engine.delivery(delivery)
        async with opened(tmp_path, config) as engine:
            ended = await engine.ended(delivery)

    assert (queued["status"], queued["attempts_made"]) == ("queued", 0)
    assert (ended["status"], ended["attempts_made"]) == ("delivered", 1)


async def test_what_a_command_accepts_beside_a_node_is_delivered_by_that_node(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,), opened(tmp_path, a_config(GITHUB.preset_hook(address))) as node:
        async with HookEngine.beside(load_settings(tmp_path / "config.yaml", os.environ)) as beside:
            answer = await beside.accept(event("completed", 1))
        ended = await node.ended(answer["hooks"][0]["delivery"])

    assert ended["status"] == "delivered"


async def test_the_api_is_an_application_that_another_program_can_mount(tmp_path: Path) -> None:
    async with opened(tmp_path, a_config(a_hook("https://target.example/", "action.failed"))) as engine:
        transport = httpx.ASGITransport(app=engine.engine.web())
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            answer = await client.post("/api/events", json=event("started", 1))

    assert answer.status_code == 202
    assert answer.json()["hooks"] == []


async def test_a_secret_in_the_context_of_a_pipeline_is_refused(tmp_path: Path) -> None:
    config = a_config(pipeline={"context": {"application": {"access_token": "in the open"}}})
    path = write_config(tmp_path, config)

    with pytest.raises(ConfigError) as refused:
        async with HookEngine.open(path):
            pass

    assert "context.application.access_token" in str(refused.value)
    assert "in the open" not in str(refused.value)


async def test_an_event_of_an_unknown_pipeline_creates_it_where_that_is_wanted(tmp_path: Path) -> None:
    config = a_config(events={"create_pipelines": True})
    async with opened(tmp_path, config) as engine:
        by_name = await engine.engine.accept(event("started", 1, action={"pipeline": "fresh"}))
        again = await engine.engine.accept(event("failed", 1, action={"pipeline": "fresh"}))
        by_id = await engine.engine.accept(event("started", 1, action={"pipeline": 40}))

    assert by_name["action"]["pipeline"] == again["action"]["pipeline"] == {"id": 2, "name": "fresh"}
    assert by_id["action"]["pipeline"] == {"id": 40, "name": "pipeline-40"}


async def test_an_engine_that_is_closed_at_once_closes(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("secrets: {insecure_plaintext: true}\n")

    async with asyncio.timeout(30), HookEngine.open(config, environ={}):
        pass


async def test_an_api_token_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("secrets: {insecure_plaintext: true}\nauth: {tokens: {main: {env: NOT_SET}}}\n")

    async with asyncio.timeout(30):
        with pytest.raises(ConfigError, match="NOT_SET"):
            async with HookEngine.open(config, environ={}) as engine:
                engine.web()


async def test_without_a_key_for_secrets_it_does_not_start_unless_it_is_told_to(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("{}")

    with pytest.raises(ConfigError, match="there is no key to seal secrets with"):
        async with HookEngine.open(config, environ={}):
            raise AssertionError("it has started")

    config.write_text("secrets: {insecure_plaintext: true}")
    async with HookEngine.open(config, environ={}) as engine:
        assert engine


async def test_with_a_key_that_others_may_read_it_does_not_start(tmp_path: Path) -> None:
    config, key = tmp_path / "config.yaml", tmp_path / "hookengine.key"
    config.write_text("{}")
    new_key_file(key)
    key.chmod(0o644)

    with pytest.raises(ConfigError, match=f"chmod 600 {key}"):
        async with HookEngine.open(config, environ={}):
            raise AssertionError("it has started")
