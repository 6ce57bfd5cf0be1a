"""Deliveries that are asked for again, over the API, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import digest_of
from tests.acceptance.configs import event, sha_of
from tests.acceptance.hosts import CONTEXT, sent, states
from tests.acceptance.reading import World, a_world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database) as world:
        yield world


async def fail(world: World, number: int, kind: str = "completed") -> str:
    world.github.fail_next(422)
    return await world.tell(event(kind, number))


async def all_done(world: World, replay_id: str) -> dict[str, object]:
    """The replay, once it has finished. The scheduler may have taken a step itself."""
    while await world.engine.engine.parts.replays.keep_up():
        pass
    await world.engine.ears.wait_for("replay.finished", replay=replay_id)
    found: dict[str, object] = await world.get(f"/api/replays/{replay_id}")
    return found


async def test_what_failed_is_sent_again_as_a_delivery_of_its_own(world: World) -> None:
    failed = await fail(world, 1)

    replay = await world.post(f"/api/deliveries/{failed}/replay", None, 202)
    await world.engine.ended(replay["id"])

    again = await world.get(f"/api/deliveries/{replay['id']}")
    first = await world.get(f"/api/deliveries/{failed}")
    assert (again["status"], again["replay_of"], first["status"]) == ("delivered", failed, "failed")
    assert again["request"] == first["request"]
    assert states(world.github, 1) == {CONTEXT: "success"}
    assert await world.listed(replay_of=failed) == [replay["id"]]


async def test_an_older_status_is_not_put_over_a_newer_one(world: World) -> None:
    started = await fail(world, 1, "started")
    await world.tell(event("completed", 1))

    refusal = await world.post(f"/api/deliveries/{started}/replay", {"mode": "same"}, 409)
    anew = await world.post(f"/api/deliveries/{started}/replay", {"mode": "render"}, 409)

    assert refusal["message"].startswith("a newer state of the same thing was accepted after it")
    assert anew["message"] == refusal["message"]
    assert sent(world.github)[-1] == "success"
    assert len(await world.listed()) == 2


async def test_rendered_anew_it_says_what_the_hook_says_now(tmp_path: Path, database: str) -> None:
    async with a_world(tmp_path, database) as world:
        failed = await fail(world, 1)

    def better(address: str, **changes: object) -> object:
        from tests.acceptance.reading import a_world_config

        config = a_world_config(address, **changes)
        config["pipelines"][0]["hooks"][0]["with"]["description"] = "better: {{ action.id }}"
        return config

    async with a_world(tmp_path, database, config=better) as world:
        replay = await world.post(f"/api/deliveries/{failed}/replay", {"mode": "render"}, 202)
        await world.engine.ended(replay["id"])
        again = await world.get(f"/api/deliveries/{replay['id']}")

    assert (again["status"], again["hook"]["version"]) == ("delivered", 2)
    assert "better: 1" in again["request"]["body"]


async def test_what_is_not_there_or_has_not_ended_is_not_replayed(world: World) -> None:
    world.github.fail_next(503)
    (waiting,) = await world.engine.accept(event("started", 1))
    await world.engine.tried(waiting)

    refusal = await world.post(f"/api/deliveries/{waiting}/replay", {}, 409)
    await world.post("/api/deliveries/dlv_none/replay", {}, 404)
    wrong = await world.post(f"/api/deliveries/{waiting}/replay", {"mode": "again"}, 422)

    assert refusal["message"] == f"{waiting} has not ended: it is retrying"
    assert list(wrong["errors"]) == ["mode"]


async def test_one_that_waits_is_cancelled_and_one_that_has_ended_is_not(world: World) -> None:
    world.github.fail_next(503)
    (waiting,) = await world.engine.accept(event("started", 1))
    await world.engine.tried(waiting)
    done = await world.tell(event("started", 2))

    cancelled = await world.post(f"/api/deliveries/{waiting}/cancel")
    again = await world.post(f"/api/deliveries/{waiting}/cancel")
    refusal = await world.post(f"/api/deliveries/{done}/cancel", None, 409)
    await world.post("/api/deliveries/dlv_none/cancel", None, 404)

    assert cancelled == again == {"id": waiting, "status": "cancelled"}
    assert (await world.get(f"/api/deliveries/{waiting}"))["because"] == "cancelled by a person"
    assert refusal["message"] == f"{done} has ended: it is delivered"


async def test_many_are_planned_started_and_sent_again_but_for_those_that_are_out_of_date(
    world: World,
) -> None:
    failed = [await fail(world, number) for number in (1, 2, 3)]
    old = await fail(world, 4, "started")
    await world.tell(event("completed", 4))

    plan = await world.post("/api/replays/plan", {"q": "status:failed"})
    started = await world.post("/api/replays", {"q": "status:failed", "per_minute": 6000}, 202)
    ended = await all_done(world, started["id"])

    assert (plan["count"], [sample["delivery"] for sample in plan["samples"]]) == (4, [*failed, old])
    assert '"state":"success"' in plan["samples"][0]["request"]["body"]
    assert (started["state"], started["total"]) == ("running", 4)
    assert (ended["state"], ended["replayed"], ended["refused"]) == ("finished", 3, 1)
    assert ended["problems"] == [
        f"{old}: a newer state of the same thing was accepted after it: {old} stays as it is"
    ]
    for delivery in failed:
        (again,) = await world.listed(replay_of=delivery)
        assert (await world.engine.ended(again))["status"] == "delivered"


async def test_a_replay_of_many_can_be_paused_and_goes_on_after_a_restart(
    tmp_path: Path, database: str
) -> None:
    async with a_world(tmp_path, database) as world:
        failed = [await fail(world, number) for number in (1, 2)]
        replay = await world.post("/api/replays", {"q": "status:failed"}, 202)
        paused = await world.post(f"/api/replays/{replay['id']}/pause")
        assert not await world.engine.engine.parts.replays.keep_up()
        still = await world.get(f"/api/replays/{replay['id']}")
    async with a_world(tmp_path, database) as world:
        await world.post(f"/api/replays/{replay['id']}/resume")
        ended = await all_done(world, replay["id"])
        again = [await world.listed(replay_of=delivery) for delivery in failed]
        listed = await world.get("/api/replays")

    assert paused["state"] == still["state"] == "paused"
    assert (ended["state"], ended["replayed"]) == ("finished", 2)
    assert [len(each) for each in again] == [1, 1]
    assert [item["id"] for item in listed["items"]] == [replay["id"]]


async def test_a_cancelled_replay_of_many_stays_cancelled(world: World) -> None:
    await fail(world, 1)
    replay = await world.post("/api/replays", {"q": "status:failed", "per_minute": 1}, 202)

    cancelled = await world.post(f"/api/replays/{replay['id']}/cancel")
    refusal = await world.post(f"/api/replays/{replay['id']}/resume", None, 409)
    await world.post("/api/replays/rpl_none/pause", None, 404)

    assert cancelled["state"] == "cancelled"
    assert cancelled["ended_at"] is not None
    assert refusal["message"] == f"replay {replay['id']} is cancelled: it cannot become running"


async def test_all_there_are_is_never_meant(world: World) -> None:
    everything = await world.post("/api/replays", {}, 422)
    wrong = await world.post("/api/replays/plan", {"q": "status:lost"}, 422)

    assert list(everything["errors"]) == ["q"]
    assert list(wrong["errors"]) == ["status"]
    assert (await world.get("/api/replays"))["items"] == []


async def test_what_comes_in_while_a_replay_runs_is_not_a_part_of_it(world: World) -> None:
    await fail(world, 1)
    replay = await world.post("/api/replays", {"q": "status:failed"}, 202)
    await world.post(f"/api/replays/{replay['id']}/pause")
    later = await fail(world, 2)
    await world.post(f"/api/replays/{replay['id']}/resume")

    ended = await all_done(world, replay["id"])

    assert (ended["total"], ended["replayed"]) == (1, 1)
    assert await world.listed(replay_of=later) == []
    assert sha_of(1) in world.github.received[-1].path


async def test_a_token_of_a_team_replays_and_sees_nothing_of_other_teams_over_http(world: World) -> None:
    failed = await fail(world, 1)
    everything = await world.post("/api/replays", {"q": "status:failed", "per_minute": 1}, 202)
    await world.post(f"/api/replays/{everything['id']}/pause")
    scopes = frozenset({Scope.DELIVERIES_REPLAY})
    red = Token(id="red", name="red", scopes=scopes, digest=digest_of("of-red"), team="red")
    world.engine.engine.parts.token_ring.configure([red])
    world.api.headers["authorization"] = "Bearer of-red"

    for path in (
        f"/api/deliveries/{failed}",
        f"/api/deliveries/{failed}/attempts",
        "/api/actions/1",
        f"/api/commits/{sha_of(1)}",
        f"/api/replays/{everything['id']}",
    ):
        assert (await world.get(path, 404)).keys() == {"message"}
    await world.post(f"/api/deliveries/{failed}/replay", {}, 404)
    await world.post(f"/api/deliveries/{failed}/cancel", None, 404)
    await world.post(f"/api/replays/{everything['id']}/resume", None, 404)
    await world.post("/api/events/explain", event("failed", 1), 422)
    plan = await world.post("/api/replays/plan", {"q": "status:failed"})
    own = await world.post("/api/replays", {"q": "status:failed"}, 202)

    assert plan["count"] == own["total"] == 0
    assert [item["id"] for item in (await world.get("/api/replays"))["items"]] == [own["id"]]
    assert await world.listed() == []
