"""What happened, asked over the API, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.clock import SystemClock
from hookengine.errors import NotFound
from hookengine.store.records import Around, Page, Wanted, WantedActions, WantedEvents
from tests.acceptance.configs import Config, a_config, a_hook, event, sha_of
from tests.acceptance.hosts import CONTEXT, GITHUB
from tests.acceptance.reading import World, a_world, a_world_config
from tests.conftest import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database) as world:
        yield world


async def test_deliveries_are_narrowed_by_every_field(world: World) -> None:
    first = await world.tell(event("started", 1))
    world.github.fail_next(422)
    second = await world.tell(event("failed", 2, id="evt_two"))
    unrenderable = await world.engine.accept(
        event("started", 3, action={"triggered_from": {"hook_parsed_variables": {}}})
    )
    host = (await world.get(f"/api/deliveries/{first}"))["host"]

    for params, expected in [
        ({"status": "delivered"}, [first]),
        ({"status": ["delivered", "failed"]}, [*unrenderable, second, first]),
        ({"hook": "status"}, [*unrenderable, second, first]),
        ({"hook": "GitHub commit status", "status": "delivered"}, [first]),
        ({"pipeline": "shop-deploy", "code": "2xx"}, [first]),
        ({"pipeline": "2"}, []),
        ({"host": host.upper(), "code": "422"}, [second]),
        ({"sha": sha_of(2)}, [second]),
        ({"sha": sha_of(2)[:12]}, [second, first]),
        ({"code": "4xx"}, [second]),
        ({"code": "none"}, unrenderable),
        ({"outcome": "unrenderable"}, unrenderable),
        ({"outcome": "answered"}, [second, first]),
        ({"event": "evt_two"}, [second]),
        ({"type": "action.failed"}, [second]),
        ({"action": "1"}, [first]),
        ({"because": "commit_hash"}, unrenderable),
        ({"since": "1h"}, [*unrenderable, second, first]),
        ({"until": "1h"}, []),
        ({"q": 'status:failed because:"the target refuses'}, None),
        ({"q": 'status:failed because:"the target refuses"'}, [second]),
        ({"q": f"status:failed code:4xx host:{host}"}, [second]),
        ({"q": f"sha:{sha_of(1)} status:delivered status:failed"}, [first]),
    ]:
        if expected is None:
            await world.get("/api/deliveries", 422, **params)
        else:
            assert await world.listed(**params) == expected, params


async def test_deliveries_are_searched_by_the_outcome_that_is_shown(tmp_path: Path, database: str) -> None:
    def config(address: str, **changes: Any) -> Config:
        return a_config(GITHUB.preset_hook(address, id="status", timeout="200ms"), **changes)

    async with a_world(tmp_path, database, config=config) as world:
        world.github.delay_next(gate := asyncio.Event())
        (late,) = await world.engine.accept(event("started", 1))
        await world.engine.tried(late)
        gate.set()
        shown = await world.get(f"/api/deliveries/{late}")
        by_parameter = await world.listed(outcome=shown["last_outcome"])
        by_query = await world.listed(q=f"outcome:{shown['last_outcome']}")
        refused = await world.get("/api/deliveries", 422, outcome="TimedOut")

    (attempt,) = shown["attempts"]
    assert (shown["last_outcome"], attempt["outcome"], attempt["verdict"]) == (
        "timed_out",
        "timed_out",
        "try_again",
    )
    assert by_parameter == by_query == [late]
    assert refused["errors"]["outcome"][0].startswith(
        "Input should be 'answered', 'unreachable', 'timed_out'"
    )


async def test_the_lane_of_a_delivery_finds_all_that_change_the_same(world: World) -> None:
    both = [await world.tell(event("started", 1)), await world.tell(event("completed", 1))]
    await world.tell(event("started", 2))

    key = (await world.get(f"/api/deliveries/{both[0]}"))["lane"]["key"]

    assert await world.listed(lane=key) == both[::-1]


async def test_a_search_that_cannot_be_read_is_refused_with_the_fields_there_are(world: World) -> None:
    unknown = await world.get("/api/deliveries", 422, q="statuss:failed")
    wrong = await world.get("/api/deliveries", 422, q="code:9xx status:lost", since="yesterday")

    assert unknown["errors"]["q"][0].startswith(
        "There is no field 'statuss'. Did you mean status? There are status,"
    )
    assert sorted(wrong["errors"]) == ["code", "since", "status"]


async def test_a_list_goes_on_where_it_ended_whatever_comes_in_meanwhile(world: World) -> None:
    old = [await world.tell(event("started", number)) for number in (1, 2, 3)]

    first = await world.get("/api/deliveries", limit=2)
    await world.tell(event("started", 4))
    second = await world.get("/api/deliveries", limit=2, before=first["next"])

    assert [item["id"] for item in (*first["items"], *second["items"])] == old[::-1]
    assert second["next"] is None


async def test_a_delivery_has_its_request_and_its_attempts(world: World) -> None:
    delivery = await world.tell(event("completed", 1))

    shown = await world.get(f"/api/deliveries/{delivery}")
    attempts = await world.get(f"/api/deliveries/{delivery}/attempts")

    assert (shown["sha"], shown["last_code"], shown["action"]["id"]) == (sha_of(1), 201, 1)
    assert '"state":"success"' in shown["request"]["body"]
    assert shown["attempts"] == attempts["items"]
    assert (attempts["items"][0]["number"], attempts["items"][0]["outcome"]) == (1, "answered")
    await world.get("/api/deliveries/dlv_none", 404)
    await world.get("/api/deliveries/dlv_none/attempts", 404)


async def test_an_action_tells_its_history_and_what_its_targets_show(world: World) -> None:
    started, completed = await world.tell(event("started", 1)), await world.tell(event("completed", 1))
    await world.tell(event("started", 2))

    listed = await world.get("/api/actions", status="in-progress", pipeline="shop-deploy")
    action = await world.get("/api/actions/1")

    assert [(item["id"], item["status"]) for item in listed["items"]] == [(2, "in-progress")]
    assert [told["type"] for told in action["events"]] == ["action.started", "action.completed"]
    assert [item["id"] for item in action["deliveries"]] == [completed, started]
    (target,) = action["targets"]
    assert (target["context"], target["shown"]["state"], target["shown"]["id"]) == (
        CONTEXT,
        "success",
        completed,
    )
    await world.get("/api/actions/none", 404)


async def test_actions_of_one_id_on_two_pipelines_are_told_apart(world: World) -> None:
    await world.tell(event("started", 1))
    await world.engine.accept(event("started", 1, action={"pipeline": 2}))

    ambiguous = await world.get("/api/actions/1", 422)
    of_docs = await world.get("/api/actions/1", pipeline="docs-deploy")
    page = await world.get("/api/actions", limit=1)
    rest = await world.get("/api/actions", before=page["next"])

    assert "docs-deploy, shop-deploy" in ambiguous["errors"]["pipeline"][0]
    assert of_docs["pipeline"] == {"id": 2, "name": "docs-deploy"}
    assert [item["pipeline"]["id"] for item in (*page["items"], *rest["items"])] == [2, 1]


async def test_events_are_listed_and_told_with_their_data(world: World) -> None:
    for number in (1, 2, 3):
        await world.tell(event("started", number, id=f"evt/{number}"))

    page = await world.get("/api/events", limit=2)
    rest = await world.get("/api/events", limit=2, before=page["next"])
    one = await world.get("/api/events/evt%2F2")
    of_action = await world.get("/api/events", action="3", pipeline="1", type="action.started", since="1h")

    listed = [item["id"] for item in (*page["items"], *rest["items"])]
    assert sorted(listed) == ["evt/1", "evt/2", "evt/3"]
    assert rest["next"] is None
    assert one["data"]["action"]["id"] == 2
    assert [item["status"] for item in one["deliveries"]] == ["delivered"]
    assert [item["id"] for item in of_action["items"]] == ["evt/3"]
    await world.get("/api/events/none", 404)
    await world.get("/api/events", 422, before="nonsense")


async def test_events_of_one_id_on_two_pipelines_are_told_apart(world: World) -> None:
    started, elsewhere = (
        event("started", 1, id="evt/1"),
        event("started", 1, action={"pipeline": 2}, id="evt/1"),
    )
    owed = await world.tell(started)
    await world.engine.accept(elsewhere)

    ambiguous = await world.get("/api/events/evt%2F1", 422)
    unexplained = await world.get("/api/events/evt%2F1/explain", 422)
    of_docs = await world.get("/api/events/evt%2F1", pipeline="docs-deploy")
    explained = await world.get("/api/events/evt%2F1/explain", pipeline=1)

    assert ambiguous == unexplained
    assert ambiguous["errors"] == {"pipeline": ["Several pipelines have an event evt/1: say which, of 1, 2."]}
    assert (of_docs["action"]["pipeline"]["id"], of_docs["deliveries"]) == (2, [])
    assert [hook["delivery"] for hook in explained["hooks"]] == [owed]
    assert await world.listed(event="evt/1") == [owed]
    assert await world.listed(event="evt/1", pipeline="2") == []
    await world.get("/api/events/evt%2F1", 404, pipeline="3")


async def test_events_of_one_moment_are_told_in_the_order_in_which_they_were_accepted(
    tmp_path: Path, database: str, clock: Clock
) -> None:
    """Their ids say nothing about it."""
    async with a_world(tmp_path, database, clock=clock) as world:
        for name, kind in (("z", "queued"), ("y", "started"), ("a", "completed")):
            await world.engine.accept(event(kind, 1, id=name))

        action = await world.get("/api/actions/1")
        page = await world.get("/api/events", limit=2)
        rest = await world.get("/api/events", before=page["next"])
        told = await world.engine.engine.parts.records.told("a")

    assert [told["id"] for told in action["events"]] == ["z", "y", "a"]
    assert [item["id"] for item in (*page["items"], *rest["items"])] == ["a", "y", "z"]
    assert [before.id for before in told.before] == ["z", "y"]


def conditioned(address: str, **changes: Any) -> Any:
    config = a_world_config(address, **changes)
    branch = {"path": "action.branch", "accepted_values": ["main"]}
    config["pipelines"][0]["hooks"] = [
        a_hook(address, "action.completed", id="of-main", trigger_when={"conditions": [branch]}),
        a_hook(address, "action.failed", id="failures"),
    ]
    return config


async def test_an_event_is_explained_against_the_context_it_came_with(tmp_path: Path, database: str) -> None:
    async with a_world(tmp_path, database, config=conditioned) as world:
        await world.engine.accept(event("started", 1, action={"branch": "dev"}))
        await world.engine.accept(event("completed", 1, id="of-dev"))
        await world.engine.accept(event("started", 1, action={"branch": "main", "number": 2}))
        (owed,) = await world.engine.accept(event("completed", 1, id="of-main"))

        dev = await world.get("/api/events/of-dev/explain")
        main = await world.get("/api/events/of-main/explain")
        await world.get("/api/events/none/explain", 404)

    assert [(hook["id"], hook["why_not"]) for hook in dev["hooks"]] == [
        ("failures", "it wants action.failed, not action.completed"),
        ("of-main", "action.branch must be one of main, but is dev"),
    ]
    assert (main["hooks"][0]["id"], main["hooks"][0]["delivery"]) == ("of-main", owed)


async def test_an_event_that_was_not_sent_is_explained_and_leaves_no_trace(
    tmp_path: Path, database: str
) -> None:
    async with a_world(tmp_path, database, config=conditioned) as world:
        explained = await world.post("/api/events/explain", event("completed", 1, action={"branch": "main"}))
        wrong = await world.post("/api/events/explain", {"type": "action.completed"}, 422)
        listed = await world.get("/api/events")

    assert [(hook["id"], hook["matches"]) for hook in explained["hooks"]] == [
        ("of-main", True),
        ("failures", False),
    ]
    assert "action" in wrong["errors"]
    assert listed["items"] == []


async def test_a_commit_tells_the_states_sent_and_the_one_shown(world: World) -> None:
    started, completed = await world.tell(event("started", 1)), await world.tell(event("completed", 1))

    commit = await world.get(f"/api/commits/{sha_of(1)}")

    (status,) = commit["statuses"]
    assert (status["repository"], status["context"], status["sha"]) == ("acme/shop", CONTEXT, sha_of(1))
    assert [(item["id"], item["state"]) for item in status["sent"]] == [
        (completed, "success"),
        (started, "pending"),
    ]
    assert status["shown"]["id"] == completed
    assert status["why"] == f"success ({completed}) was delivered"
    assert commit["warnings"] == []
    await world.get(f"/api/commits/{sha_of(9)}", 404)


async def test_a_commit_tells_that_something_newer_could_not_be_shown(world: World) -> None:
    started = await world.tell(event("started", 1))
    world.github.fail_next(422)
    failed = await world.tell(event("failed", 1))

    (status,) = (await world.get(f"/api/commits/{sha_of(1)[:10]}"))["statuses"]

    assert status["shown"]["id"] == started
    assert status["why"].startswith(
        f"pending ({started}) was delivered; failure ({failed}), which is newer, failed"
    )


async def test_a_commit_tells_why_and_how_long_it_waits_for_another_try(world: World) -> None:
    world.github.fail_next(503)
    (waiting,) = await world.engine.accept(event("failed", 1))
    await world.engine.tried(waiting)

    (status,) = (await world.get(f"/api/commits/{sha_of(1)}"))["statuses"]
    delivery = await world.get(f"/api/deliveries/{waiting}")

    assert status["why"] == (
        f"nothing was delivered yet; failure ({waiting}) is retrying, next at {delivery['next_attempt_at']}: "
        "503: the target has a fault that may pass"
    )
    assert delivery["waits_for"] is None


async def test_a_commit_tells_that_its_hook_is_paused_and_why(world: World) -> None:
    started = await world.tell(event("started", 1))
    await world.post("/api/hooks/status/pause", {"reason": "GitHub is moved"})
    (waiting,) = await world.engine.accept(event("failed", 1))

    (status,) = (await world.get(f"/api/commits/{sha_of(1)}"))["statuses"]

    delivery = await world.get(f"/api/deliveries/{waiting}")

    assert status["why"] == (
        f"pending ({started}) was delivered; failure ({waiting}) waits, since its hook is paused: GitHub is moved"
    )
    assert (delivery["waits_for"], delivery["next_attempt_at"]) == (
        "its hook, which is paused: GitHub is moved",
        None,
    )


def splitting(address: str, **changes: Any) -> Any:
    config = a_world_config(address, **changes)
    config["pipelines"][0]["hooks"] = GITHUB.three_hooks(address)
    for hook in config["pipelines"][0]["hooks"]:
        hook["settings"]["request_body"]["context"] = "ci/{{ action.status }}"
    return config


async def test_a_hook_whose_context_changes_between_events_is_warned_of(
    tmp_path: Path, database: str
) -> None:
    async with a_world(tmp_path, database, config=splitting) as world:
        await world.tell(event("started", 1))
        await world.tell(event("completed", 1))

        commit = await world.get(f"/api/commits/{sha_of(1)}")

    assert sorted(status["context"] for status in commit["statuses"]) == ["ci/completed", "ci/in-progress"]
    (warning,) = commit["warnings"]
    assert warning.endswith(
        "under 2 contexts: ci/completed, ci/in-progress. Did the context change between its events?"
    )


async def test_a_token_of_a_team_sees_what_belongs_to_its_pipelines_only(world: World) -> None:
    own, other = (
        await world.tell(event("started", 1, id="own")),
        await world.tell(event("started", 2, id="other")),
    )
    records = world.engine.engine.parts.records.seen_by(frozenset({2}))
    await world.engine.accept(event("completed", 3, id="docs", action={"pipeline": 2}))

    everything = await world.get("/api/events")
    assert len(everything["items"]) == 3
    assert await records.deliveries(Wanted(), Page()) == []
    assert [item["id"] for _, item in await records.events(WantedEvents(), Page())] == ["docs"]
    assert [item["id"] for _, item in await records.actions(WantedActions(), Page())] == [3]
    around = await records.deployments(Around(at=SystemClock().now(), window=60_000))
    assert [item["event"]["id"] for item in around["items"]] == ["docs"]
    for ask in (
        lambda: records.delivery(own),
        lambda: records.attempts(other),
        lambda: records.event("own"),
        lambda: records.told("own"),
        lambda: records.action("1"),
        lambda: records.commit(sha_of(1)),
    ):
        with pytest.raises(NotFound):
            await ask()


async def test_deployments_around_an_alert_are_everybodys_until_a_team_owns_a_pipeline(world: World) -> None:
    at = "2026-11-20T10:00:00Z"
    await world.tell(event("completed", 1, occurred_at="2026-11-20T09:50:00Z"))
    await world.engine.accept(
        event("completed", 2, action={"pipeline": 2}, occurred_at="2026-11-20T10:10:00Z")
    )
    await world.tell(event("completed", 3, occurred_at="2026-11-20T08:00:00Z"))
    await world.engine.accept(
        event("completed", 4, action={"type": "restart", "pipeline": 2}, occurred_at=at)
    )
    await world.engine.accept(event("started", 5, action={"pipeline": 2}, occurred_at=at))

    blue = await world.get("/api/deployments", at=at, window=30, team="blue")
    red = await world.get("/api/deployments", at=at, window=30, team="red")
    restarts = await world.get("/api/deployments", at=at, window=30, type="restart")

    assert (blue["scope"], [item["action"]["id"] for item in blue["items"]]) == ("account", [2, 1])
    assert [item["seconds_before"] for item in blue["items"]] == [-600, 600]
    assert (red["scope"], [item["action"]["id"] for item in red["items"]]) == ("team", [2])
    assert (red["items"][0]["application"], red["items"][0]["environment"]) == ("docs", "production")
    assert [item["action"]["id"] for item in restarts["items"]] == [4]
    others = world.engine.engine.parts.records.seen_by(frozenset({1}))
    asked = [Around(at=1, window=0, team=team) for team in ("red", "nobody")]
    assert await others.deployments(asked[0]) == await others.deployments(asked[1])
