from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.hosts import CONTEXT
from tests.acceptance.sources import WEBHOOK_SECRET, Told, example, quiet_hook, told

pytestmark = pytest.mark.anyio

GITLAB = {"sources": {"gitlab": {"secret": "webhook"}}}
PATH = "/api/sources/gitlab/shop-deploy"
_, PIPELINE = example("gitlab", "a pipeline that succeeded")
COMMIT = PIPELINE["object_attributes"]["sha"]
SHOWN = {"x-gitlab-token": WEBHOOK_SECRET}


def pipeline(status: str) -> dict[str, Any]:
    return {**PIPELINE, "object_attributes": {**PIPELINE["object_attributes"], "status": status}}


async def send(doors: Told, body: Any, key: str, **headers: str) -> httpx.Response:
    return await doors.post(PATH, body, {**SHOWN, "idempotency-key": key, **headers})


async def test_a_pipeline_becomes_one_commit_status_though_its_news_come_in_the_wrong_order(
    tmp_path: Path,
) -> None:
    async with told(tmp_path, **GITLAB) as doors:
        answers = [
            await send(doors, pipeline(status), status)
            for status in ("pending", "failed", "running", "manual")
        ]
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)

    assert [answer.status_code for answer in answers] == [202, 202, 202, 200]
    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "failure"}


REPORTS = {
    "push": "a push",
    "merge": "a merged merge request",
    "release": "a new release",
    "deploy": "a deployment that succeeded",
}


async def test_a_report_fires_the_hooks_that_want_its_type_of_action(tmp_path: Path) -> None:
    hooks = [quiet_hook("action.completed", action_type=kind, name=kind) for kind in (*REPORTS, "restart")]
    async with told(tmp_path, *hooks, **GITLAB) as doors:
        answers = [await send(doors, example("gitlab", name)[1], name) for name in REPORTS.values()]
        fired = [delivery["hook"]["name"] for delivery in await doors.deliveries()]

    assert [answer.status_code for answer in answers] == [202] * 4
    assert sorted(fired) == sorted(REPORTS)


async def test_a_request_that_is_sent_again_is_accepted_once(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed"), **GITLAB) as doors:
        first, again = [await send(doors, PIPELINE, "the same") for _ in range(2)]
        by_uuid = [
            await doors.post(PATH, PIPELINE, {**SHOWN, "x-gitlab-event-uuid": "the same"}) for _ in range(2)
        ]
        deliveries = await doors.deliveries()

    assert first.json() == again.json()
    assert by_uuid[0].json() == by_uuid[1].json() != first.json()
    assert len(deliveries) == 2


async def test_without_the_right_token_nothing_happens(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.completed"), **GITLAB) as doors:
        answers = [
            await send(doors, PIPELINE, "a", **{"x-gitlab-token": token})
            for token in ("", "wrong", WEBHOOK_SECRET + "x", WEBHOOK_SECRET[:-1])
        ]

        assert [answer.status_code for answer in answers] == [403] * 4
        assert WEBHOOK_SECRET not in "".join(answer.text for answer in answers)
        assert await doors.deliveries() == []


async def test_a_field_that_is_wrong_is_named(tmp_path: Path) -> None:
    broken = {**PIPELINE, "object_attributes": {"id": -1, "sha": "HEAD"}}
    async with told(tmp_path, **GITLAB) as doors:
        answer = await send(doors, broken, "a")

    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "object_attributes.sha": [
            "object_attributes.sha must be the full hash of a commit, 40 or 64 hexadecimal digits."
        ],
        "object_attributes.id": ["object_attributes.id must be a whole number that is not negative."],
        "object_attributes.status": ["object_attributes.status is required."],
    }


async def test_the_secret_of_a_webhook_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    secrets = {"webhook": {"file": "./not-there"}}
    async with told(tmp_path, quiet_hook("action.completed"), secrets=secrets, **GITLAB) as doors:
        answer = await send(doors, PIPELINE, "a")

    assert answer.status_code == 503
