"""Lists that are longer than an answer, on both databases: they go on, or say that there is more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import digest_of
from hookengine.store.records import events, lanes, replays
from tests.acceptance.configs import event, sha_of
from tests.acceptance.reading import World, a_world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database) as world:
        yield world


async def pages(world: World, path: str, **params: Any) -> list[dict[str, Any]]:
    """As whoever follows the `Link` headers gets them."""
    answer = await world.api.get(path, params=params)
    found = [answer.json()]
    while "next" in answer.links:
        answer = await world.api.get(answer.links["next"]["url"])
        found.append(answer.json())
    return found


async def test_deployments_go_on_where_the_answer_ended_around_the_same_moment(world: World) -> None:
    told = {1: "10:00", 2: "09:58", 3: "09:58", 4: "09:57", 5: "09:56"}
    for number, at in told.items():
        others = {"pipeline": 2, "type": "restart" if number == 4 else "deploy"}
        await world.engine.accept(
            event("completed", number, action=others, occurred_at=f"2026-11-20T{at}:00Z", id=f"evt.{number}")
        )

    around = {"at": "2026-11-20T10:00:00Z", "window": 30}
    whole = await world.get("/api/deployments", **around)
    one_by_one = await pages(world, "/api/deployments", **around, limit=1)
    elsewhen = await world.get("/api/deployments", window=30, before=one_by_one[0]["next"])

    assert [item["action"]["id"] for item in whole["items"]] == [1, 3, 2, 5]
    assert whole["next"] is None
    assert [item for page in one_by_one for item in page["items"]] == whole["items"]
    assert {(page["from"], page["to"]) for page in one_by_one} == {(whole["from"], whole["to"])}
    assert elsewhen["items"] == whole["items"][1:]
    refused = await world.get("/api/deployments", 422, before="nowhere")
    assert list(refused["errors"]) == ["before"]


async def test_replays_go_on_where_the_answer_ended_also_for_who_sees_a_few(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "_AT_ONCE", 2)
    scopes = frozenset({Scope.DELIVERIES_REPLAY})
    red = Token(id="red", name="red", scopes=scopes, digest=digest_of("of-red"), team="red")
    boss = Token(id="boss", name="boss", scopes=frozenset({Scope.ADMIN}), digest=digest_of("of-boss"))
    world.engine.engine.parts.token_ring.configure([red, boss])
    of_red = {"authorization": "Bearer of-red"}
    world.api.headers["authorization"] = "Bearer of-boss"
    mine = []
    for _ in range(3):
        await world.post("/api/replays", {"q": "status:failed"}, 202)
        answer = await world.api.post("/api/replays", json={"q": "status:failed"}, headers=of_red)
        mine.append(answer.json()["id"])

    everybodys = await pages(world, "/api/replays", limit=4)
    world.api.headers.update(of_red)
    own = await pages(world, "/api/replays", limit=2)

    assert [len(page["items"]) for page in everybodys] == [4, 2]
    assert [[item["id"] for item in page["items"]] for page in own] == [[mine[2], mine[1]], [mine[0]]]


async def test_a_history_that_is_cut_off_names_the_lists_that_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(event("started", 1))
    await world.tell(event("completed", 1, id="told"))

    whole = await world.get("/api/actions/1")
    monkeypatch.setattr(events, "MOST_EVENTS", 1)
    monkeypatch.setattr(events, "MOST_DELIVERIES", 1)
    monkeypatch.setattr(lanes, "MOST_SENT", 1)
    action = await world.get("/api/actions/1")
    told = await world.get("/api/events/told")
    monkeypatch.setattr(events, "MOST_DELIVERIES", 0)
    of_event = await world.get("/api/events/told")

    assert (whole["more"], whole["targets"][0]["more"]) == ([], [])
    assert action["more"] == ["events", "deliveries"]
    assert (len(action["events"]), len(action["deliveries"])) == (1, 1)
    (target,) = action["targets"]
    assert (target["more"], [item["event"]["id"] for item in target["sent"]]) == (["sent"], ["told"])
    assert (told["more"], of_event["more"]) == ([], ["deliveries"])


async def test_a_commit_with_more_statuses_than_an_answer_has_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(event("started", 1))
    await world.tell(event("started", 2))
    beginning = sha_of(1)[:12]

    whole = await world.get(f"/api/commits/{beginning}")
    monkeypatch.setattr(lanes, "MOST_LANES", 1)
    cut = await world.get(f"/api/commits/{beginning}")

    assert (len(whole["statuses"]), whole["more"]) == (2, [])
    assert (cut["statuses"], cut["more"]) == (whole["statuses"][:1], ["statuses"])
