from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.clock import as_text
from hookengine.simulators import GitHub, GitLab, serve
from tests.acceptance.configs import PATIENCE, TOKEN, a_config, a_hook, event, sha_of
from tests.acceptance.engines import FAR, opened
from tests.acceptance.hosts import CONTEXT, GITHUB, GITLAB, sent, states

pytestmark = pytest.mark.anyio


@pytest.fixture
def github() -> GitHub:
    return GitHub(tokens={TOKEN})


def plain(address: str, lane: Any, **changes: Any) -> dict[str, Any]:
    return a_hook(
        f"{address}/repos/acme/shop/statuses/{sha_of(1)}",
        body={"state": "pending", "context": "{{ action.id }} {{ event.id }}"},
        headers={"Authorization": "Bearer {{ secrets.host }}"},
        lane=lane,
        **changes,
    )


async def test_started_that_comes_after_completed_is_never_sent(tmp_path: Path, github: GitHub) -> None:
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address))) as engine,
    ):
        (completed,) = await engine.accept(event("completed", 1))
        await engine.ended(completed)
        (started,) = await engine.accept(event("started", 1))
        delivery = await engine.delivery(started)

    assert (delivery["status"], delivery["attempts"]) == ("superseded", [])
    assert delivery["because"].startswith("late")
    assert sent(github) == ["success"]


async def test_started_and_completed_in_the_wrong_order_at_once_show_completed(
    tmp_path: Path, github: GitHub
) -> None:
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address))) as engine,
    ):
        answers = await engine.engine.accept_all([event("completed", 1), event("started", 1)])
        deliveries = [await engine.ended(answer["hooks"][0]["delivery"]) for answer in answers]

    assert [delivery["status"] for delivery in deliveries] == ["delivered", "superseded"]
    assert sent(github) == ["success"]


async def test_an_older_run_does_not_touch_the_status_of_a_newer_one(tmp_path: Path, github: GitHub) -> None:
    newer = {"number": 8, "triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(1)}}}
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address))) as engine,
    ):
        (started,) = await engine.accept(event("started", 2, action=newer))
        await engine.ended(started)
        (failed,) = await engine.accept(event("failed", 1, action={"number": 7}))
        delivery = await engine.delivery(failed)

    assert delivery["status"] == "superseded"
    assert states(github, 1) == {CONTEXT: "pending"}


async def test_completed_supersedes_started_in_back_off_and_goes_at_once(
    tmp_path: Path, github: GitHub
) -> None:
    github.fail_next(503)
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(*GITHUB.three_hooks(address))) as engine,
    ):
        (started,) = await engine.accept(event("started", 1))
        await engine.tried(started)
        (completed,) = await engine.accept(event("completed", 1))
        older, newer = await engine.ended(started), await engine.ended(completed)
        engine.later(seconds=7200)
        repair = await engine.ears.wait_for("delivery.ended", times=3)
        repaired = await engine.delivery(repair["delivery"])

    assert (older["status"], older["superseded_by"]) == ("superseded", completed)
    assert newer["status"] == "delivered"
    assert repaired["repair_of"] == completed  # a 503 may come from a proxy while the host has done the work
    assert sent(github) == ["pending", "success", "success"]


async def test_completed_waits_for_started_that_is_in_flight(tmp_path: Path, github: GitHub) -> None:
    gate = asyncio.Event()
    github.delay_next(gate)
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(*GITHUB.three_hooks(address))) as engine,
    ):
        (started,) = await engine.accept(event("started", 1))
        async with asyncio.timeout(PATIENCE):
            await github.wait_for(lambda it: True)
        (completed,) = await engine.accept(event("completed", 1))
        waiting = await engine.delivery(completed)
        gate.set()
        await engine.ended(completed)
        first = await engine.delivery(started)

    assert waiting["status"] == "queued"
    assert first["status"] == "delivered"
    assert sent(github) == ["pending", "success"]


async def test_a_retry_after_of_the_target_holds_the_newer_state_back_too(
    tmp_path: Path, github: GitHub
) -> None:
    github.fail_next(429, headers={"Retry-After": "120"})
    soon = {"waits": ["1s"], "jitter": 0}
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(*GITHUB.three_hooks(address, retry=soon))) as engine,
    ):
        (started,) = await engine.accept(event("started", 1))
        await engine.tried(started)
        paused = await engine.delivery(started)
        (completed,) = await engine.accept(event("completed", 1))
        waiting = await engine.delivery(completed)
        engine.later(seconds=120)
        await engine.ended(completed)

    assert paused["next_attempt_at"] == as_text(FAR + 120_000)
    assert (waiting["status"], waiting["next_attempt_at"]) == ("queued", as_text(FAR + 120_000))
    assert sent(github) == ["pending", "success"]


async def test_a_hook_whose_target_is_gone_is_switched_off(tmp_path: Path, github: GitHub) -> None:
    github.fail_next(410)
    async with serve([github]) as (address,):
        config = a_config(plain(address, "none"))
        async with opened(tmp_path, config) as engine:
            (first,) = await engine.accept(event("started", 1))
            ended = await engine.ended(first)
            await engine.ears.wait_for("hook.switched_off")
            after = await engine.accept(event("started", 2))
        async with opened(tmp_path, config) as engine:
            after_a_restart = await engine.accept(event("started", 3))

    assert ended["status"] == "failed"
    assert after == after_a_restart == []


async def test_an_ordered_lane_waits_for_its_first(tmp_path: Path, github: GitHub) -> None:
    github.fail_next(503)
    lane = {"policy": "ordered", "key": "all of {{ pipeline.name }}"}
    async with serve([github]) as (address,), opened(tmp_path, a_config(plain(address, lane))) as engine:
        (first,) = await engine.accept(event("started", 1, id="first"))
        await engine.tried(first)
        (second,) = await engine.accept(event("started", 2, id="second"))
        waiting = await engine.delivery(second)
        engine.later(seconds=60)
        await engine.ended(second)

    assert (waiting["status"], waiting["attempts_made"]) == ("queued", 0)
    assert sent(github, "context") == ["1 first", "1 first", "2 second"]


async def test_without_a_lane_nobody_waits_for_anybody(tmp_path: Path, github: GitHub) -> None:
    github.fail_next(503)
    async with serve([github]) as (address,), opened(tmp_path, a_config(plain(address, "none"))) as engine:
        (first,) = await engine.accept(event("started", 1, id="first"))
        await engine.tried(first)
        (second,) = await engine.accept(event("started", 1, id="second"))
        await engine.ended(second)
        waiting = await engine.delivery(first)

    assert waiting["status"] == "retrying"
    assert sent(github, "context") == ["1 first", "1 second"]


async def test_what_gitlab_did_before_its_answer_was_lost_counts_as_delivered(tmp_path: Path) -> None:
    gitlab = GitLab(tokens={TOKEN})
    gitlab.drop_next(applied=True)
    async with (
        serve([gitlab]) as (address,),
        opened(tmp_path, a_config(*GITLAB.three_hooks(address))) as engine,
    ):
        (started,) = await engine.accept(event("started", 1))
        lost = await engine.tried(started)
        engine.later(seconds=60)
        ended = await engine.ended(started)

    first, second = ended["attempts"]
    assert lost["verdict"] == "TryAgain"
    assert (first["outcome"], first["certainty"]) == ("unreachable", "doubtful")
    assert (second["detail"]["status"], second["certainty"]) == (400, "applied")
    assert ended["status"] == "delivered"
    assert states(gitlab, 1) == {CONTEXT: "running"}


async def test_an_edited_hook_keeps_what_was_rendered_and_a_removed_one_cancels_it(
    tmp_path: Path, github: GitHub
) -> None:
    github.fail_next(503, times=2)
    async with serve([github]) as (address,):
        edited = plain(address, "none", name="edited", id="edited")
        removed = plain(address, "none", name="removed", id="removed")
        async with opened(tmp_path, a_config(edited, removed)) as engine:
            answer = await engine.engine.accept(event("started", 1, id="before"))
            owed = {hook["name"]: hook["delivery"] for hook in answer["hooks"]}
            for delivery in owed.values():
                await engine.tried(delivery)
            before = await engine.delivery(owed["edited"])
        edited["settings"]["request_body"]["context"] = "edited: {{ event.id }}"
        engine.clock.advance(seconds=60)
        async with opened(tmp_path, a_config(edited), engine.clock) as engine:
            (fresh,) = await engine.accept(event("started", 2, id="after"))
            kept, gone = await engine.ended(owed["edited"]), await engine.ended(owed["removed"])
            await engine.ended(fresh)

    assert (kept["status"], kept["attempts_made"]) == ("delivered", 2)
    assert kept["request"] == before["request"]
    assert (gone["status"], gone["attempts_made"]) == ("cancelled", 1)
    assert sorted(sent(github, "context")[2:]) == ["1 before", "edited: after"]


@pytest.mark.parametrize(("teams", "status"), [(("red", "blue"), "retrying"), (("red", "red"), "superseded")])
async def test_no_team_supersedes_what_another_one_owes(
    tmp_path: Path, github: GitHub, teams: tuple[str, str], status: str
) -> None:
    async with serve([github]) as (address,):
        """Nobody answers there any more."""
    pipelines = [
        {"id": number, "name": f"of {number}", "team": team, "hooks": [GITHUB.preset_hook(address)]}
        for number, team in enumerate(teams, 1)
    ]
    async with opened(tmp_path, {**a_config(), "pipelines": pipelines}) as engine:
        (owed,) = await engine.accept(event("completed", 1))
        await engine.tried(owed)
        (others,) = await engine.accept(event("failed", 1, action={"pipeline": 2}))
        await engine.tried(others)
        delivery = await engine.delivery(owed)

    assert delivery["status"] == status
