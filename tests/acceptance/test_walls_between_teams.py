"""What a token that is bound to a team or a pipeline gets to see and to do, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import digest_of
from tests.acceptance.configs import Config, a_hook, event, sha_of
from tests.acceptance.reading import World, a_world, a_world_config

pytestmark = pytest.mark.anyio

SCOPES = frozenset(Scope) - {Scope.ADMIN}
TOKENS = [
    Token(id="boss", name="boss", scopes=frozenset({Scope.ADMIN}), digest=digest_of("boss")),
    *(
        Token(id=team, name=team, scopes=SCOPES, digest=digest_of(team), team=team)
        for team in ("red", "blue")
    ),
    Token(id="one", name="one", scopes=SCOPES, digest=digest_of("one"), pipeline_id=2),
]
"""The text of each is its name. Pipeline 1 is nobody's, pipeline 2 red's."""


def config(address: str, **changes: Any) -> Config:
    config = a_world_config(address, **changes)
    config["pipelines"][0]["incoming_hooks"] = [{"id": "pushes-of-one", "name": "pushes-of-one"}]
    config["pipelines"][0]["context"] = {"application": {"id": 7}}
    config["pipelines"][1]["hooks"] = [a_hook("https://red.example/", "action.restarted", id="reds")]
    config["secrets"]["signing_only"] = {"stored": True}
    return config


@pytest.fixture
async def world(tmp_path: Path, database: str) -> AsyncIterator[World]:
    async with a_world(tmp_path, database, config=config) as world:
        world.engine.engine.parts.token_ring.configure(TOKENS)
        yield world


async def ask(world: World, who: str, method: str, path: str, document: Any = None) -> httpx.Response:
    return await world.api.request(method, path, json=document, headers={"authorization": f"Bearer {who}"})


async def change(world: World, path: str, document: Any, method: str = "PATCH") -> dict[str, Any]:
    answer = await ask(world, "boss", method, path, document)
    assert answer.status_code in (200, 201), answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def seen(world: World, who: str, delivery: str) -> dict[str, bool]:
    """By route, whether what pipeline 1 had, has and did is there for this caller."""
    lists = {
        "/api/pipelines": "shop-deploy",
        "/api/hooks": "status",
        "/api/incoming-hooks": "pushes-of-one",
        "/api/secrets": "ones_own",
        "/api/events": "told",
        "/api/actions": "shop-deploy",
        "/api/deliveries": delivery,
        "/api/deployments": "told",
        "/applications/7/hooks": "status",
    }
    things = [
        "/api/pipelines/1",
        "/pipelines/1/hooks",
        "/api/hooks/status",
        "/api/hooks/status/versions",
        "/hooks/outgoing/status",
        "/hooks/outgoing/status/requests",
        f"/hook-requests/{delivery}-1",
        "/api/incoming-hooks/pushes-of-one",
        "/hooks/incoming/pushes-of-one",
        "/api/events/told",
        "/api/events/told/explain",
        "/api/actions/1",
        f"/api/deliveries/{delivery}",
        f"/api/deliveries/{delivery}/attempts",
        f"/api/commits/{sha_of(1)}",
    ]
    found = {}
    for path, name in lists.items():
        answer = await ask(world, who, "GET", path)
        assert answer.status_code == 200, answer.text
        found[path] = f'"{name}"' in answer.text
    for path in things:
        answer = await ask(world, who, "GET", path)
        assert answer.status_code in (200, 404), (path, answer.text)
        found[path] = answer.status_code == 200
    return found


async def test_a_pipeline_that_becomes_a_teams_is_its_own_with_all_that_was(world: World) -> None:
    delivery = await world.tell(event("completed", 1, id="told"))
    await change(world, "/api/secrets/ones_own?pipeline=1", {"value": "x"}, "PUT")

    of_nobody = {who: await seen(world, who, delivery) for who in ("boss", "red", "blue")}
    await change(world, "/api/pipelines/1?force=true", {"team": "blue"})
    of_blue = {who: await seen(world, who, delivery) for who in ("red", "blue", "one")}
    await change(world, "/api/pipelines/1?force=true", {"team": "red"})
    of_red = {who: await seen(world, who, delivery) for who in ("red", "blue")}

    everything, nothing = dict.fromkeys(of_nobody["boss"], True), dict.fromkeys(of_nobody["boss"], False)
    assert of_nobody == {"boss": everything, "red": nothing, "blue": nothing}
    assert of_blue == {"red": nothing, "blue": everything, "one": nothing}
    assert of_red == {"red": everything, "blue": nothing}


async def test_nothing_is_done_to_what_became_another_teams(world: World) -> None:
    await change(world, "/api/pipelines/1?force=true", {"team": "red"})
    delivery = await world.tell(event("completed", 1, id="told"))
    own = await ask(world, "red", "POST", "/api/replays", {"q": "status:delivered"})
    await change(world, "/api/pipelines/1?force=true", {"team": "blue"})

    answers = {
        f"{method} {path}": (await ask(world, "red", method, path, document)).status_code
        for method, path, document in [
            ("POST", f"/api/deliveries/{delivery}/replay", {}),
            ("POST", f"/api/deliveries/{delivery}/cancel", None),
            ("POST", f"/api/replays/{own.json()['id']}/resume", None),
            ("PATCH", "/api/hooks/status", {"name": "mine"}),
            ("POST", "/api/hooks/status/disable", {"reason": "mine"}),
            ("POST", "/api/hooks/status/preview", {}),
            ("POST", "/api/hooks/status/test", {}),
            ("POST", "/api/hooks/status/signing-secret", None),
            ("DELETE", "/api/hooks/status", None),
            ("POST", "/api/incoming-hooks/pushes-of-one/secret", None),
            ("DELETE", "/api/incoming-hooks/pushes-of-one", None),
            ("POST", "/api/pipelines/1/integration-key", None),
            ("DELETE", "/api/pipelines/1", None),
            ("PUT", "/api/secrets/host?pipeline=1", {"value": "x"}),
            ("PUT", "/api/secrets/host?hook=status", {"value": "x"}),
        ]
    }
    told = await ask(world, "red", "POST", "/api/events", event("failed", 1))

    assert answers == dict.fromkeys(answers, 404)
    assert told.status_code == 422
    assert told.json()["errors"] == {"action.pipeline": ["There is no pipeline 1."]}


@pytest.mark.parametrize("who", ["red", "one"])
async def test_files_are_not_for_tokens_that_are_bound(world: World, who: str) -> None:
    """They say what is defined for everybody, and a plan tells of it."""
    file = {"name": "a.yaml", "text": "pipelines:\n  - {id: 2, name: docs-deploy, team: red}\n"}

    applied = await ask(world, who, "POST", "/api/apply", {"files": [file]})
    planned = await ask(world, who, "POST", "/api/apply", {"files": [file], "dry_run": True})
    exported = await ask(world, who, "GET", "/api/export")
    by_the_boss = await ask(world, "boss", "POST", "/api/apply", {"files": [file], "dry_run": True})

    for answer in (applied, planned, exported):
        assert answer.status_code == 403
        assert answer.json() == {
            "message": "Forbidden: files say what is defined for everybody, and this token is bound to a team or a"
            " pipeline."
        }
    assert by_the_boss.status_code == 200
    assert by_the_boss.json()["changed"], "what was refused has changed something"


@pytest.mark.parametrize("who", ["red", "one"])
async def test_no_names_of_secrets_are_told_that_the_caller_could_not_use(world: World, who: str) -> None:
    await change(world, "/api/pipelines/1?force=true", {"team": "blue"})
    for name, owner in [("key_of_blue", "?pipeline=1"), ("key_of_a_hook", "?hook=status")]:
        await change(world, f"/api/secrets/{name}{owner}", {"value": "x", "hosts": ["blue.example"]}, "PUT")
    for name, owner in [("key_of_red", "?pipeline=2"), ("key_of_reds", "?hook=reds")]:
        await change(world, f"/api/secrets/{name}{owner}", {"value": "x", "hosts": ["red.example"]}, "PUT")
    await change(world, "/api/secrets/signing_too", {"value": "x"}, "PUT")
    wrong = {"request_headers": [{"name": "A", "value": "{{ secrets.key_of }}"}]}
    hook = {**a_hook("https://red.example/"), "pipeline": 2, "settings": wrong}
    signed = {**a_hook("https://red.example/"), "pipeline": 2, "signing": {"secret": "signing_tool"}}

    refusals = [
        await ask(world, who, method, path, document)
        for method, path, document in [
            ("POST", "/api/hooks", hook),
            ("POST", "/api/hooks", signed),
            ("POST", "/api/hooks/preview", {"hook": hook}),
            ("PATCH", "/api/hooks/reds?force=true", {"settings": wrong}),
            ("PATCH", "/api/hooks/reds?force=true", {"signing": {"secret": "zzz"}}),
            ("POST", "/api/incoming-hooks", {"pipeline": 2, "name": "its own", "secret": "signing_tool"}),
            ("POST", "/pipelines/2/hooks/outgoing", {**hook, "type": "out"}),
        ]
    ]
    listed = await ask(world, who, "GET", "/api/secrets")
    to_the_boss = await ask(world, "boss", "POST", "/api/hooks", signed)

    assert [answer.status_code for answer in refusals] == [422] * len(refusals)
    for told in (*(answer.text for answer in refusals), listed.text):
        assert "key_of_blue" not in told
        assert "key_of_a_hook" not in told
        assert "signing_only" not in told
        assert "signing_too'" not in told
    assert "did you mean 'key_of_red'" in refusals[0].text
    assert "key_of_reds" in refusals[3].text
    assert {item["name"] for item in listed.json()["items"]} == {"key_of_red", "key_of_reds"}
    assert "did you mean 'signing_too'" in to_the_boss.text
