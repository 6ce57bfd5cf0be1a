"""Files over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.app import applying
from tests.acceptance.configs import PATIENCE, a_config
from tests.acceptance.engines import opened

pytestmark = pytest.mark.anyio

FILE = "pipelines:\n  - {id: 7, name: till-deploy}\n"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(tmp_path, a_config(), deliver=False) as running:
        transport = httpx.ASGITransport(running.engine.web())
        async with httpx.AsyncClient(transport=transport, base_url="http://engine.test") as client:
            yield client


def order(text: str) -> dict[str, Any]:
    return {"files": [{"name": "hooks.yaml", "text": text}]}


async def test_while_files_are_read_everything_else_goes_on(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, answered = asyncio.Event(), threading.Event()
    went_on: list[bool] = []
    load, loop = applying.load, asyncio.get_running_loop()

    def slowly(*arguments: Any, **named: Any) -> Any:
        loop.call_soon_threadsafe(reading.set)
        went_on.append(answered.wait(PATIENCE))
        return load(*arguments, **named)

    monkeypatch.setattr(applying, "load", slowly)
    async with asyncio.TaskGroup() as tasks:
        applied = tasks.create_task(api.post("/api/apply", json=order(FILE)))
        await reading.wait()
        health = await api.get("/healthz")
        answered.set()

    assert went_on == [True]
    assert (health.status_code, applied.result().status_code) == (200, 200)


@pytest.mark.parametrize(
    "text", ['"\\ud800"', "[" * 20_000, "2026-11-22", ".inf", "!!binary aGk=", "\x07", "- "]
)
async def test_every_file_gets_an_answer_in_the_usual_shape(api: httpx.AsyncClient, text: str) -> None:
    answer = await api.post("/api/apply", json=order(FILE.replace("name:", f"context: {{a: {text}}}, name:")))

    assert answer.status_code in {200, 422}
    assert answer.status_code == 200 or answer.json()["errors"]


async def test_a_number_of_too_many_digits_is_told(api: httpx.AsyncClient) -> None:
    answer = await api.post(
        "/api/apply",
        content=b'{"files": ' + b"9" * 5_000 + b"}",
        headers={"content-type": "application/json"},
    )

    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        {"body": ["Has a number of too many digits."]},
    )
