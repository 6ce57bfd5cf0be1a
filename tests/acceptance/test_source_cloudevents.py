from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.hosts import CONTEXT
from tests.acceptance.sources import API, Told, example, quiet_hook, told

pytestmark = pytest.mark.anyio

PATH = "/api/sources/cloudevents/shop-deploy"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
_, STARTED = example("cloudevents", "a pipeline run that was started, with its commit as custom data")
_, FAILED = example("cloudevents", "a pipeline run that failed, as the examples of the drafts have it")
_, TASK = example("cloudevents", "a task of a pipeline run that failed")
_, DEPLOYED = example("cloudevents", "a service that was deployed")
_, OTHER = example("cloudevents", "a CloudEvent of somebody else's")
COMMIT = STARTED["data"]["customData"]["commit_hash"]


async def send(doors: Told, body: Any, headers: dict[str, str], path: str = PATH) -> httpx.Response:
    return await doors.post(path, body, {**API, **headers})


def binary(event: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    return event["data"], {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}


async def test_a_run_in_all_three_modes_becomes_one_commit_status(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        answers = [
            await send(doors, STARTED, STRUCTURED),
            await send(doors, *binary(STARTED)),
            await send(doors, [STARTED, TASK, FAILED, OTHER], BATCH),
        ]
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)
        sent = [received.body["state"] for received in doors.host.received]

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert answers[0].json() == answers[1].json()
    assert [event["type"] for event in answers[2].json()["events"]] == [
        "action.started",
        "task.failed",
        "action.failed",
    ]
    assert "com.example.someevent" in answers[2].json()["ignored"][0]
    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "failure"}
    assert sent in (["pending", "failure"], ["failure"])


async def test_a_failed_task_leaves_the_status_of_its_run_alone(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        for event in (STARTED, TASK):
            await send(doors, event, STRUCTURED)
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)

    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "pending"}


async def test_hooks_fire_for_what_was_deployed_and_for_tasks_that_they_name(tmp_path: Path) -> None:
    deploys = quiet_hook("action.completed", action_type="deploy", name="deploys")
    tasks = quiet_hook("task.failed", name="tasks")
    ends = quiet_hook("action.failed", name="ends")
    async with told(tmp_path, deploys, tasks, ends) as doors:
        for event in (DEPLOYED, TASK):
            await send(doors, event, STRUCTURED)
        fired = [delivery["hook"]["name"] for delivery in await doors.deliveries()]

    assert sorted(fired) == ["deploys", "tasks"]


async def test_an_id_that_its_source_sends_again_counts_once_also_within_a_batch(tmp_path: Path) -> None:
    other_words = {**STARTED, "time": "2024-01-01T00:00:00Z"}
    async with told(tmp_path, quiet_hook("action.started")) as doors:
        answers = [
            await send(doors, [STARTED, STARTED], BATCH),
            await send(doors, STARTED, STRUCTURED),
            await send(doors, other_words, STRUCTURED),
            await send(doors, [other_words, FAILED], BATCH),
        ]
        deliveries = await doors.deliveries()

    assert [answer.status_code for answer in answers] == [202, 202, 200, 202]
    assert [event["type"] for event in answers[3].json()["events"]] == ["action.failed"]
    assert len(deliveries) == 1


REFUSED: list[tuple[Any, dict[str, str], int, list[str]]] = [
    ({**STARTED, "specversion": "0.3"}, STRUCTURED, 400, ["specversion"]),
    ({**STARTED, "id": None}, STRUCTURED, 400, ["id"]),
    (b"{", STRUCTURED, 400, ["body"]),
    (b"[" * 5000, STRUCTURED, 400, ["body"]),
    (STARTED, {"content-type": "application/json"}, 400, ["content-type"]),
    (STARTED["data"], {"ce-id": "1"}, 400, ["specversion", "source", "type"]),
    ([STARTED, {}], BATCH, 400, ["[1].specversion", "[1].id", "[1].source", "[1].type"]),
    ({"a": STARTED}, BATCH, 400, ["body"]),
    (STARTED, {"content-type": "application/cloudevents+avro"}, 415, []),
    (b"<a/>", {**binary(STARTED)[1], "content-type": "text/xml"}, 415, []),
    ({**STARTED, "data": {}}, STRUCTURED, 422, ["data.subject.id"]),
]


async def test_what_is_wrong_is_answered_as_the_binding_says(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.started")) as doors:
        for body, headers, status, fields in REFUSED:
            answer = await send(doors, body, headers)

            assert (answer.status_code, list(answer.json().get("errors", {}))) == (status, fields), (
                answer.text
            )
        assert await doors.deliveries() == []


async def test_nothing_in_it_is_nothing_wrong(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        empty, other = await send(doors, [], BATCH), await send(doors, OTHER, STRUCTURED)

    assert (empty.status_code, other.status_code) == (200, 200)
    assert empty.json()["message"] == "Nothing came of it: there was nothing in it."


async def test_each_event_of_a_batch_finds_its_own_pipeline(tmp_path: Path) -> None:
    settings = {"pipeline_path": "data.subject.content.pipelineName", "pipeline": "shop-deploy"}
    async with told(
        tmp_path, pipeline={"name": "myPipeline"}, sources={"cloudevents": {**settings, "pipeline": "2"}}
    ) as doors:
        doors.engine.engine.parts.catalogue.load(
            await doors.engine.engine.parts.store.create_pipeline("other")
        )
        answer = await send(doors, [STARTED, DEPLOYED], BATCH, "/api/sources/cloudevents")

    assert [event["action"]["pipeline"]["name"] for event in answer.json()["events"]] == [
        "myPipeline",
        "other",
    ]


async def test_it_needs_a_token(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        answer = await doors.post(PATH, STARTED, STRUCTURED)

    assert answer.status_code == 401
