"""What stands for a pipeline in digits is its id before it is another one's name, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import digest_of
from tests.acceptance.configs import Config, a_config, a_hook, event
from tests.acceptance.reading import World, a_world

pytestmark = pytest.mark.anyio

NAMES = {1: "shop-deploy", 102: "docs-deploy", 103: "102", 104: "777", 105: "0102"}
TEAMS = {103: "red"}


def config(address: str, **changes: Any) -> Config:
    """Pipelines 103 to 105 have names that look like ids; only that of pipeline 103 is one."""
    config = a_config(a_hook("https://target.example/x", id="of-1"), **changes)
    for number, name in list(NAMES.items())[1:]:
        hook = a_hook("https://target.example/x", id=f"of-{number}")
        pipeline = {"id": number, "name": name, "hooks": [hook], "team": TEAMS.get(number, "blue")}
        config["pipelines"].append(pipeline)
    return config


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database, config=config) as world:
        for number in NAMES:
            await world.engine.accept(event("started", 7, id="told", action={"pipeline": number}))
        yield world


async def found(world: World, name: str) -> dict[str, list[int]]:
    """By route, the pipelines that are found under this name."""
    listed = {
        path: (await world.get(f"/api/{path}", pipeline=name))["items"]
        for path in ("deliveries", "events", "actions")
    }
    one = [await world.get(f"/api/{path}", pipeline=name) for path in ("events/told", "actions/7")]
    hooks = (await world.get("/api/hooks", pipeline=name))["items"]
    return {
        "deliveries": [item["action"]["pipeline"]["id"] for item in listed["deliveries"]],
        "events": [item["action"]["pipeline"]["id"] for item in listed["events"]],
        "actions": [item["pipeline"]["id"] for item in listed["actions"]],
        "one event": [one[0]["action"]["pipeline"]["id"]],
        "one action": [one[1]["pipeline"]["id"]],
        "hooks": [item["pipeline"] for item in hooks],
    }


@pytest.mark.parametrize(
    ("name", "pipeline"), [("102", 102), ("103", 103), ("777", 104), ("0102", 105), ("docs-deploy", 102)]
)
async def test_digits_are_an_id_where_there_is_one_and_else_a_name(
    world: World, name: str, pipeline: int
) -> None:
    assert {tuple(ids) for ids in (await found(world, name)).values()} == {(pipeline,)}


async def test_an_id_that_somebody_does_not_get_to_see_takes_nobodys_name(world: World) -> None:
    scopes = frozenset({Scope.DELIVERIES_READ, Scope.HOOKS_READ})
    red = Token(id="red", name="red", scopes=scopes, digest=digest_of("of-red"), team="red")
    world.engine.engine.parts.token_ring.configure([red])
    world.api.headers["authorization"] = "Bearer of-red"

    assert {tuple(ids) for ids in (await found(world, "102")).values()} == {(103,)}
