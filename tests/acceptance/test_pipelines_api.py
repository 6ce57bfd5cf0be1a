"""Pipelines over the engine's own routes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.acceptance.definitions import TARGET, delete, new_hook, new_pipeline, patch
from tests.acceptance.server import Server


def test_a_new_pipeline_answers_its_key_where_to_report_and_a_command(engine: Server) -> None:
    made = new_pipeline(engine, "reports", team="red", application="shop", context={"region": "eu"})

    shown = engine.get(f"/api/pipelines/{made['id']}")

    assert made["integration_key"].startswith("hki_")
    assert made["url"] == f"{engine.url}/api/deployment-events"
    assert f"--url {engine.url}/api/deployment-events" in made["curl"]
    assert made["integration_key"] in made["curl"]
    assert made["integration_key"] not in shown.text
    told = {key: made[key] for key in shown.json()}
    assert told == shown.json()
    assert (made["team"], made["application"], made["context"]) == ("red", "shop", {"region": "eu"})
    assert (made["managed_by"], made["has_integration_key"]) == ("api", True)


def test_an_integration_key_stands_nowhere_in_the_database(engine: Server) -> None:
    made = new_pipeline(engine, "nowhere to be found")

    content = b"".join(path.read_bytes() for path in engine.folder.glob("hookengine.db*"))

    assert made["integration_key"].encode() not in content
    assert hashlib.sha256(made["integration_key"].encode()).hexdigest().encode() in content


def test_a_renewed_key_is_another_one(engine: Server) -> None:
    made = new_pipeline(engine, "renews its key")

    renewed = engine.post(f"/api/pipelines/{made['id']}/integration-key", {}).json()

    assert renewed["integration_key"] != made["integration_key"]
    assert renewed["integration_key"] in renewed["curl"]


def test_a_pipeline_is_changed_where_something_is_said_and_deleted(engine: Server) -> None:
    made = new_pipeline(engine, "to be changed", team="red")
    path = f"/api/pipelines/{made['id']}"

    changed = patch(engine, path, {"application": "shop", "team": None})
    gone = delete(engine, path)

    assert (changed.status_code, gone.status_code, engine.get(path).status_code) == (200, 204, 404)
    assert (changed.json()["name"], changed.json()["application"], changed.json()["team"]) == (
        "to be changed",
        "shop",
        "",
    )
    assert changed.json()["has_integration_key"]


def test_pipelines_are_listed_page_by_page_and_by_team(engine: Server) -> None:
    made = [new_pipeline(engine, f"of team green {number}", team="green")["id"] for number in range(3)]

    first = engine.get("/api/pipelines?team=green&limit=2").json()
    second = engine.get(f"/api/pipelines?team=green&limit=2&after={first['next']}").json()

    assert [item["id"] for item in first["items"]] == made[:2]
    assert [item["id"] for item in second["items"]] == made[2:]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "shop-deploy"}, "name"),
        ({"name": "wrong", "operation": 7}, "operation"),
        ({"name": "wrong", "context": {"event": {}}}, "context.event"),
        ({"name": "wrong", "hooks": []}, "hooks"),
        ({"name": "wrong", "integration_key": {"env": "PATH"}}, "integration_key"),
        ({"name": "wrong", "context": {"source": {"access_token": "abc"}}}, "context.source.access_token"),
        ({"name": "wrong", "tema": "x"}, "tema"),
        ({"name": "wro\0ng"}, "name"),
        ({"name": "\x1b[2Jwrong"}, "name"),
        ({"name": "wrong", "team": "a\nb"}, "team"),
    ],
)
def test_what_is_wrong_with_a_pipeline_is_told_by_field(
    engine: Server, document: dict[str, Any], field: str
) -> None:
    answer = engine.post("/api/pipelines", document)

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_a_deleted_pipelines_hooks_are_gone_and_its_id_is_not_given_again(engine: Server) -> None:
    made = new_pipeline(engine, "with hooks")
    hook = new_hook(engine, pipeline=made["id"])
    engine.accept({"type": "action.started", "action": {"id": 1, "pipeline": made["id"]}})

    delete(engine, f"/api/pipelines/{made['id']}")

    assert engine.get(f"/api/hooks/{hook['id']}").status_code == 404
    assert new_pipeline(engine, "another one")["id"] > made["id"]


@pytest.mark.parametrize(("path", "number"), [("/api/hooks", 90001), ("/api/incoming-hooks", 90101)])
def test_nobody_takes_the_place_of_a_pipeline_by_the_name_that_is_its_id(
    engine: Server, path: str, number: int
) -> None:
    new_pipeline(engine, f"somebody {number}", id=number)
    new_pipeline(engine, str(number))

    found = engine.post(path, {"name": "its own", "pipeline": str(number), **_LEAST[path]})

    assert found.json()["pipeline"] == number


_LEAST: dict[str, dict[str, Any]] = {
    "/api/hooks": {"target_url": TARGET, "trigger_when": {"events": ["action.failed"]}},
    "/api/incoming-hooks": {},
}
