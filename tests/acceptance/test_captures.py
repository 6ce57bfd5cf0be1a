"""What answers tell is used by later requests: over real sockets, against stand-ins of the hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.simulators import GitHub, GitLab, Host, serve
from tests.acceptance.configs import TOKEN, Config, a_config, event, sha_of
from tests.acceptance.engines import Opened, opened

pytestmark = pytest.mark.anyio

DEPLOYMENT: Config = {
    "preset": "github/deployment-status",
    "with": {"repository": "acme/shop", "token": "{{ secrets.host }}", "environment": "production"},
    "retry": {"waits": ["1m"], "jitter": 0},
}
STATUS: Config = {
    "preset": "gitlab/commit-status",
    "with": {"project": "acme/shop", "token": "{{ secrets.host }}"},
    "retry": {"waits": ["1m"], "jitter": 0},
}


@asynccontextmanager
async def played(
    folder: Path, monkeypatch: pytest.MonkeyPatch, host: Host, hook: Config
) -> AsyncIterator[tuple[Opened, str]]:
    monkeypatch.setenv("TOKEN_OF_HOSTS", TOKEN)
    async with serve([host]) as (address,):
        blanks = {**hook["with"], "base_url": address + host.api}
        async with opened(folder, a_config({**hook, "with": blanks})) as engine:
            yield engine, address


async def told(engine: Opened, kind: str, number: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    """The creation and the status that an event owes, ended."""
    (hook,) = (await engine.engine.accept(event(kind, number)))["hooks"]
    status = await engine.ended(hook["delivery"])
    (create,) = hook["before"]
    return await engine.ended(create), status


async def test_an_action_is_one_deployment_whose_states_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = GitHub(tokens=[TOKEN])
    async with played(tmp_path, monkeypatch, host, DEPLOYMENT) as (engine, _):
        create, queued = await told(engine, "queued")
        skipped, started = await told(engine, "started")
        _, completed = await told(engine, "completed")
        await told(engine, "failed", 2)

    assert host.deployments.states(1) == ("queued", "in_progress", "success")
    assert host.deployments.states(2) == ("failure",)
    assert (create["status"], create["part"]) == (
        "delivered",
        {"number": 1, "of": 2, "name": "create the deployment"},
    )
    assert (skipped["status"], skipped["attempts"]) == ("superseded", [])
    assert skipped["because"] == "not needed: deployment_id is known already"
    assert {queued["status"], started["status"], completed["status"]} == {"delivered"}
    assert completed["part"] == {"number": 2, "of": 2, "name": ""}


async def test_what_could_not_be_created_fails_what_needs_it_and_is_created_by_the_next_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = GitHub(tokens=[TOKEN])
    async with played(tmp_path, monkeypatch, host, DEPLOYMENT) as (engine, _):
        host.readers = [TOKEN]
        create, started = await told(engine, "started")
        host.readers = []
        again, completed = await told(engine, "completed")

    assert (create["status"], started["status"]) == ("failed", "failed")
    assert "scope repo_deployment" in create["because"]
    assert started["because"] == (
        "blocked: captured.deployment_id is not known: no answer in its lane has told it"
    )
    assert [attempt["certainty"] for attempt in started["attempts"]] == ["unsent"]
    assert (again["status"], completed["status"]) == ("delivered", "delivered")
    assert host.deployments.states(1) == ("success",)


async def test_an_answer_without_what_is_wanted_of_it_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = GitHub(tokens=[TOKEN])
    async with played(tmp_path, monkeypatch, host, DEPLOYMENT) as (engine, _):
        host.fail_next(201, body={"id": {"of": "another shape"}})
        create, _ = await told(engine, "started")

    assert create["status"] == "failed"
    assert create["because"] == (
        "201: the target took it, but its answer has no id that could be kept as captured.deployment_id"
    )


async def test_a_status_waits_for_the_creation_that_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = GitHub(tokens=[TOKEN])
    async with played(tmp_path, monkeypatch, host, DEPLOYMENT) as (engine, _):
        host.fail_next(503)
        (hook,) = (await engine.engine.accept(event("started", 1)))["hooks"]
        await engine.tried(hook["before"][0])
        waiting = await engine.delivery(hook["delivery"])
        engine.later(seconds=61)
        status = await engine.ended(hook["delivery"])

    assert (waiting["status"], status["status"]) == ("queued", "delivered")
    assert host.deployments.states(1) == ("in_progress",)


async def test_a_lost_answer_makes_a_second_deployment_and_only_that_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub takes no key against it; its payload names the action in both."""
    host = GitHub(tokens=[TOKEN])
    async with played(tmp_path, monkeypatch, host, DEPLOYMENT) as (engine, _):
        host.drop_next(applied=True)
        (hook,) = (await engine.engine.accept(event("started", 1)))["hooks"]
        await engine.tried(hook["before"][0])
        engine.later(seconds=61)
        await engine.ended(hook["delivery"])

    assert (host.deployments.states(1), host.deployments.states(2)) == ((), ("in_progress",))
    created = [
        request.json()["payload"] for request in host.received if request.path.endswith("/deployments")
    ]
    assert created == [{"action": 1}, {"action": 1}]


async def test_all_states_of_an_action_go_to_the_pipeline_that_took_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = GitLab(tokens=[TOKEN, "somebody's"])
    async with played(tmp_path, monkeypatch, host, STATUS) as (engine, address):
        (started,) = await engine.accept(event("started", 1))
        await engine.ended(started)
        url = f"{address}/api/v4/projects/acme%2Fshop/statuses/{sha_of(1)}"
        async with httpx.AsyncClient() as somebody:
            answer = await somebody.post(
                url,
                json={"state": "running", "name": "other", "ref": "dev"},
                headers={"private-token": "somebody's"},
            )
        (completed,) = await engine.accept(event("completed", 1))
        ended = await engine.ended(completed)

    assert answer.json()["pipeline_id"] == 2
    assert ended["status"] == "delivered"
    sent = [request.json() for request in host.received if request.json()["name"] != "other"]
    assert [body.get("pipeline_id") for body in sent] == [None, 1]
    (shown,) = [entry for place, entry in host.contexts().items() if place.context != "other"]
    assert shown.state == "success"
