from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.acceptance.hosts import CONTEXT
from tests.acceptance.sources import API, Told, example, github_signature, quiet_hook, told

pytestmark = pytest.mark.anyio

GITHUB = {"sources": {"github": {"secret": "webhook"}}}
PATH = "/api/sources/github/shop-deploy"
HEADERS, RUN = example("github", "a workflow run that was requested")
COMMIT = RUN["workflow_run"]["head_sha"]


async def send(
    doors: Told, body: Any, event: str, delivery: str, path: str = PATH, **headers: str
) -> httpx.Response:
    content = json.dumps(body).encode()
    named = {"x-github-event": event, "x-github-delivery": delivery, **github_signature(content), **headers}
    return await doors.post(path, content, named)


def run(step: str, conclusion: str | None = None) -> dict[str, Any]:
    return {**RUN, "action": step, "workflow_run": {**RUN["workflow_run"], "conclusion": conclusion}}


async def test_a_workflow_run_becomes_one_commit_status_though_its_news_come_in_the_wrong_order(
    tmp_path: Path,
) -> None:
    async with told(tmp_path, **GITHUB) as doors:
        answers = [
            await send(doors, run("requested"), "workflow_run", "d-1"),
            await send(doors, run("completed", "success"), "workflow_run", "d-3"),
            await send(doors, run("in_progress"), "workflow_run", "d-2"),
        ]
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert {answer.json()["events"][0]["action"]["id"] for answer in answers} == {"github-run-30433642"}
    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "success"}


REPORTS = {
    "push": ("push", "a push to a branch"),
    "merge": ("pull_request", "a merged pull request"),
    "release": ("release", "a published release"),
    "deploy": ("deployment_status", "a deployment that succeeded"),
}


async def test_a_report_fires_the_hooks_that_want_its_type_of_action(tmp_path: Path) -> None:
    hooks = [quiet_hook("action.completed", action_type=kind, name=kind) for kind in (*REPORTS, "restart")]
    async with told(tmp_path, *hooks, **GITHUB) as doors:
        answers = [
            await send(doors, example("github", name)[1], event, f"d-{event}")
            for event, name in REPORTS.values()
        ]
        fired = [delivery["hook"]["name"] for delivery in await doors.deliveries()]

    assert [answer.status_code for answer in answers] == [202] * 4
    assert sorted(fired) == sorted(REPORTS)


async def test_a_redelivery_is_accepted_once_and_answered_the_same(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued"), **GITHUB) as doors:
        first = await send(doors, RUN, "workflow_run", "d-1")
        again = await send(doors, RUN, "workflow_run", "d-1")
        other_words = await send(doors, run("completed", "failure"), "workflow_run", "d-1")
        deliveries = await doors.deliveries()

    assert first.json() == again.json()
    assert (first.status_code, again.status_code) == (202, 202)
    assert other_words.status_code == 200
    assert "was told before, in other words" in other_words.json()["message"]
    assert len(deliveries) == 1


async def test_a_ping_is_answered_and_starts_nothing(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.status_changed"), **GITHUB) as doors:
        answer = await send(doors, {"zen": "Keep it logically awesome."}, "ping", "d-1")

        assert answer.status_code == 200
        assert answer.json()["message"] == "Nothing came of it: a ping, which is answered."
        assert await doors.deliveries() == []


async def test_a_webhook_that_sends_forms_is_understood(tmp_path: Path) -> None:
    content = urlencode({"payload": json.dumps(RUN)}).encode()
    headers = {
        **HEADERS,
        **github_signature(content),
        "content-type": "application/x-www-form-urlencoded",
    }
    async with told(tmp_path, quiet_hook("action.queued"), **GITHUB) as doors:
        answer = await doors.post(PATH, content, headers)
        nothing = await doors.post(PATH, b"a=b", {**headers, **github_signature(b"a=b")})

    assert answer.status_code == 202
    assert (nothing.status_code, list(nothing.json()["errors"])) == (422, ["body"])


UNSIGNED: list[dict[str, str]] = [
    {"x-hub-signature-256": ""},
    {"x-hub-signature-256": "sha256=" + "0" * 64},
    github_signature(b"another body"),
    {"x-hub-signature-256": "", "x-hub-signature": "sha1=0", **API},
]


async def test_without_the_right_signature_nothing_is_said_and_nothing_happens(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued"), **GITHUB) as doors:
        answers = [
            await send(doors, RUN, "workflow_run", "d-1", path, **headers)
            for path in (PATH, "/api/sources/github/no-such-pipeline")
            for headers in UNSIGNED
        ]

        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.text for answer in answers}) == 1
        assert await doors.deliveries() == []


async def test_a_webhook_without_a_secret_needs_a_token_of_the_api(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued")) as doors:
        stranger = await doors.post(PATH, RUN, HEADERS)
        friend = await doors.post(PATH, RUN, {**HEADERS, **API})

    assert (stranger.status_code, friend.status_code) == (401, 202)


OTHER_DOORS = [
    "/api/events",
    "/api/deliveries",
    "/api/sources",
    "/api/sources/",
    "/api/sources/github/",
    "/api/sources/github/shop-deploy/",
    "/api/sources/github/shop-deploy/more",
    "/api/sources/github/..%2f..%2fevents",
    "/api/sources/github//api/events",
    "/api/sources/githubs",
    "//api/sources/github/shop-deploy",
]


async def test_an_open_door_opens_no_other(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued"), **GITHUB) as doors:
        answers = [(path, await send(doors, RUN, "workflow_run", "d-1", path)) for path in OTHER_DOORS]

        assert {path: answer.status_code for path, answer in answers} == dict.fromkeys(OTHER_DOORS, 401)
        assert await doors.deliveries() == []


async def test_a_source_that_is_off_is_not_there(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued"), sources={"github": {"enabled": False}}) as doors:
        assert (await doors.post(PATH, RUN, HEADERS)).status_code == 401
        assert (await doors.post(PATH, RUN, {**HEADERS, **API})).status_code == 404


async def test_one_webhook_of_an_organization_finds_the_pipeline_of_each_repository(tmp_path: Path) -> None:
    github = {"secret": "webhook", "pipeline_path": "repository.name", "pipeline": "shop-deploy"}
    repositories = [{**RUN["repository"], "name": name} for name in ("site", "unknown", 5, None)]
    async with told(tmp_path, quiet_hook("action.queued"), sources={"github": github}) as doors:
        doors.engine.engine.parts.catalogue.load(
            await doors.engine.engine.parts.store.create_pipeline("site")
        )
        answers = [
            await send(
                doors, {**RUN, "repository": repository}, "workflow_run", f"d-{n}", "/api/sources/github"
            )
            for n, repository in enumerate(repositories)
        ]

    named = [answer.json()["events"][0]["action"]["pipeline"]["name"] for answer in answers]
    assert named == ["site", "shop-deploy", "shop-deploy", "shop-deploy"]


NOWHERE = [
    ("/api/sources/github", "pipeline", "set sources.github.pipeline"),
    ("/api/sources/github/shop-deplyo", "action.pipeline", "Did you mean 'shop-deploy'?"),
    ("/api/sources/github/99999999999999999999999", "action.pipeline", "There is no pipeline '9999"),
    ("/api/sources/github/2", "action.pipeline", "There is no pipeline 2"),
]


async def test_a_pipeline_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with told(tmp_path, **GITHUB) as doors:
        for path, field, says in NOWHERE:
            answer = await send(doors, RUN, "workflow_run", "d-1", path)

            assert answer.status_code == 422
            assert says in answer.json()["errors"][field][0]


async def test_the_address_names_a_pipeline_by_id_or_by_name(tmp_path: Path) -> None:
    async with told(tmp_path, **GITHUB) as doors:
        answers = [
            await send(doors, RUN, "workflow_run", "d-1", path) for path in ("/api/sources/github/1", PATH)
        ]

    named = [answer.json()["events"][0]["action"]["pipeline"] for answer in answers]
    assert named == [{"id": 1, "name": "shop-deploy"}] * 2


NO_OBJECTS = [b"", b"{", b"\xff\xfe", b"[]", b"5", b"null", b"[" * 5000, b'{"a":' * 60 + b"1" + b"}" * 60]


async def test_a_body_that_is_no_object_is_refused(tmp_path: Path) -> None:
    async with told(tmp_path, **GITHUB) as doors:
        for body in NO_OBJECTS:
            answer = await doors.post(PATH, body, {**HEADERS, **github_signature(body)})

            assert (answer.status_code, list(answer.json()["errors"])) == (422, ["body"])


async def test_an_answer_says_nothing_of_the_hooks(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.queued", name="a secret plan"), **GITHUB) as doors:
        answer = await send(doors, RUN, "workflow_run", "d-1")

    assert "a secret plan" not in answer.text
    assert list(answer.json()["events"][0]) == ["id", "type", "action"]


async def test_larger_bodies_than_everywhere_are_refused(tmp_path: Path) -> None:
    async with told(tmp_path, server={"max_body": "4KiB"}, **GITHUB) as doors:
        answer = await send(doors, {**RUN, "more": "x" * 5000}, "workflow_run", "d-1")

    assert answer.status_code == 413
