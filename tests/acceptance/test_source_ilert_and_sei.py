from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.hosts import CONTEXT
from tests.acceptance.sources import API, KEY, example, quiet_hook, told

pytestmark = pytest.mark.anyio

ILERT, SEI = "/api/deployment-events", "/v1/custom-cicd"
_, EVENT = example("ilert", "the example of the page")
_, RUN = example("sei", "the first example of the page")
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


def deployed(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "integrationKey": KEY, **changes}


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("hookengine.db*"))


# ilert


async def test_an_event_of_ilert_needs_no_token_and_writes_the_commit_status_of_its_pipeline(
    tmp_path: Path,
) -> None:
    async with told(tmp_path) as doors:
        answer = await doors.post(ILERT, deployed(customDetails={"commit_hash": COMMIT}))
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)

    assert answer.status_code == 202
    assert answer.json()["events"][0]["action"]["pipeline"] == {"id": 1, "name": "shop-deploy"}
    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "success"}


async def test_the_key_lets_in_to_its_own_pipeline_only_and_to_no_other_door(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed")) as doors:
        wrong = [
            await doors.post(ILERT, deployed(integrationKey=key), API)
            for key in ("wrong", KEY[:-1], KEY.upper(), KEY + " ", "0" * 64)
        ]
        elsewhere = [
            await doors.post(path, deployed(), {"Authorization": f"Bearer {KEY}"})
            for path in ("/api/events", "/api/deployment-events/", "/api/deployment-events/more", SEI)
        ]

        assert [answer.status_code for answer in wrong] == [403] * 5
        assert [answer.status_code for answer in elsewhere] == [401] * 4
        assert await doors.deliveries() == []


async def test_an_event_with_a_time_counts_once_and_one_without_counts_each_time(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed")) as doors:
        for _ in range(3):
            await doors.post(ILERT, deployed())
        assert len(await doors.deliveries()) == 1

        for _ in range(3):
            await doors.post(ILERT, deployed(timestamp=None))
        assert len(await doors.deliveries()) == 4


async def test_the_key_stands_nowhere_in_the_database_nor_in_an_answer(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed")) as doors:
        answers = [
            await doors.post(ILERT, deployed()),
            await doors.post(ILERT, deployed(summary=5)),
            await doors.post(ILERT, deployed(integrationKey=KEY[:-1])),
        ]

    assert [answer.status_code for answer in answers] == [202, 422, 403]
    assert KEY[:-1] not in "".join(answer.text for answer in answers)
    written = everything_in(tmp_path)
    assert b"My custom deployment event" in written
    assert KEY[:-1].encode() not in written


async def test_what_is_wrong_with_an_event_is_told_by_field(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        answer = await doors.post(ILERT, deployed(summary=None, timestamp="soon"))
        keyless = await doors.post(ILERT, EVENT | {"integrationKey": None})
        secret = await doors.post(ILERT, deployed(customDetails={"token": 5}))
        large = await doors.post(ILERT, deployed(customDetails={"a": "x" * 300_000}))

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["summary", "timestamp"])
    assert (keyless.status_code, list(keyless.json()["errors"])) == (422, ["integrationKey"])
    assert secret.status_code == 422
    assert (large.status_code, list(large.json()["errors"])) == (422, ["action"])


# Harness SEI


async def test_a_run_told_to_sei_writes_the_commit_status(tmp_path: Path) -> None:
    commit = RUN["scm_commit_ids"][0]
    async with told(tmp_path, pipeline={"name": "Node.js CI"}) as doors:
        answer = await doors.post(SEI, RUN, API)
        again = await doors.post(SEI, {"request_type": "x", "payload": RUN}, API)
        await doors.settled()
        shown = doors.host.shown("acme/shop", commit)

    assert answer.status_code == 202
    assert answer.json() == again.json()
    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "success"}


async def test_sei_needs_a_token_as_bearer_or_as_api_key(tmp_path: Path) -> None:
    token = API["Authorization"].removeprefix("Bearer ")
    schemes = [f"Bearer {token}", f"ApiKey {token}", f"Basic {token}", token, "ApiKey wrong", ""]
    async with told(tmp_path, quiet_hook("action.completed"), pipeline={"name": "Node.js CI"}) as doors:
        answers = [await doors.post(SEI, RUN, {"Authorization": said}) for said in schemes]

    assert [answer.status_code for answer in answers] == [202, 202, 401, 401, 401, 401]


async def test_a_token_of_one_pipeline_tells_of_that_one_only(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed"), pipeline={"name": "Node.js CI"}) as doors:
        catalogue, store = doors.engine.engine.parts.catalogue, doors.engine.engine.parts.store
        catalogue.load(await store.create_pipeline("Other CI"))
        made = await doors.client.post(
            "/api/tokens", headers=API, json={"name": "jenkins", "scopes": ["emit"], "pipeline": 2}
        )
        mine = {"Authorization": f"ApiKey {made.json()['token']}"}
        allowed = await doors.post(SEI, {**RUN, "pipeline": "Other CI"}, mine)
        answers = [
            await doors.post(SEI, {**RUN, "pipeline": name}, mine) for name in ("Node.js CI", "No such CI")
        ]
        webhook = await doors.post(
            "/api/sources/github/1", *reversed(example("github", "a push to a branch"))
        )

    assert allowed.status_code == 202
    assert [answer.status_code for answer in answers] == [422, 422]
    assert [answer.json()["errors"]["action.pipeline"] for answer in answers] == [
        ["There is no pipeline 'Node.js CI'."],
        ["There is no pipeline 'No such CI'."],
    ]
    assert webhook.status_code == 401


async def test_a_run_of_a_job_that_is_no_pipeline_goes_to_the_one_the_settings_name(tmp_path: Path) -> None:
    async with told(tmp_path) as doors:
        nowhere = await doors.post(SEI, RUN, API)
    (tmp_path / "other").mkdir()
    async with told(tmp_path / "other", sources={"sei": {"pipeline": "shop-deploy"}}) as doors:
        somewhere = await doors.post(SEI, RUN, API)

    assert nowhere.json()["errors"] == {"action.pipeline": ["There is no pipeline 'Node.js CI'."]}
    assert somewhere.status_code == 202


async def test_who_asks_sei_for_an_instance_is_answered_its_guid(tmp_path: Path) -> None:
    asked = {"integration_id": "12", "name": "Jenkins-1", "type": "jenkins"}
    async with told(tmp_path, pipeline={"name": "Node.js CI"}) as doors:
        answer = await doors.post(SEI, asked, API)
        used = await doors.post(SEI, {**RUN, "instance_guid": answer.json()["instance_guid"]}, API)

    assert answer.status_code == 200
    assert answer.json() | asked == answer.json()
    assert used.status_code == 202


async def test_the_examples_that_are_not_json_are_refused_with_where(tmp_path: Path) -> None:
    forgotten = json.dumps(RUN, indent=4).replace('"ci": true,', '"ci": true').encode()
    async with told(tmp_path, pipeline={"name": "Node.js CI"}) as doors:
        answer = await doors.post(SEI, forgotten, API)

    assert answer.status_code == 422
    assert "line 50 column 5" in answer.json()["errors"]["body"][0]
