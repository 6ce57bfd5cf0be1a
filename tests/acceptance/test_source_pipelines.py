"""Pipelines that reports name before anybody defined them, and keys that the API hands out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sources import API, example, quiet_hook, told

pytestmark = pytest.mark.anyio


async def shell(command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return output.decode()


def made_by(answer: Any) -> dict[str, Any]:
    made: dict[str, Any] = answer.json()
    return made


async def test_a_new_pipeline_answers_a_command_that_reports_to_it(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed")) as doors:
        made = made_by(await doors.client.post("/api/pipelines", headers=API, json={"name": "site-deploy"}))
        output = await shell(made["curl"])
        seen = await doors.client.get(f"/api/actions?pipeline={made['id']}", headers=API)

    assert '"message":"Accepted."' in output
    assert [action["type"] for action in seen.json()["items"]] == ["deploy"]


async def test_a_key_that_was_renewed_lets_nobody_in_any_more(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed")) as doors:
        made = made_by(await doors.client.post("/api/pipelines", headers=API, json={"name": "site-deploy"}))
        renewed = made_by(
            await doors.client.post(f"/api/pipelines/{made['id']}/integration-key", headers=API)
        )
        answers = [
            await doors.post("/api/deployment-events", {"integrationKey": key, "summary": "site 2"})
            for key in (made["integration_key"], renewed["integration_key"])
        ]

    assert [answer.status_code for answer in answers] == [403, 202]


async def test_an_address_of_digits_is_an_id_before_it_is_a_name(tmp_path: Path) -> None:
    headers, run = example("github", "a workflow run that was requested")
    async with told(tmp_path, quiet_hook("action.queued")) as doors:
        for wanted in ({"name": "somebody", "id": 4711}, {"name": "4711"}, {"name": "90210"}):
            await doors.client.post("/api/pipelines", headers=API, json=wanted)
        answers = [
            await doors.post(f"/api/sources/github/{number}", run, {**headers, **API})
            for number in ("4711", "90210")
        ]

    named = [answer.json()["events"][0]["action"]["pipeline"]["name"] for answer in answers]
    assert named == ["somebody", "90210"]


async def test_a_pipeline_that_nobody_defined_is_made_where_events_make_them(tmp_path: Path) -> None:
    headers, run = example("github", "a workflow run that was requested")
    async with told(tmp_path, quiet_hook("action.queued"), events={"create_pipelines": True}) as doors:
        answers = [
            await doors.post("/api/sources/github/brand-new", run, {**headers, **API}) for _ in range(2)
        ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["events"][0]["action"]["pipeline"]["name"] == "brand-new"
