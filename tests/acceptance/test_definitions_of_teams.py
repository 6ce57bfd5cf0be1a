"""What a token that is bound to a team or a pipeline may define."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.definitions import OWN_HOOK, TARGET, new_pipeline
from tests.acceptance.server import Server

CHANGES = {"name": "x", "target_url": TARGET, "requires_secret": False, "reason": "x"}


@pytest.fixture
def of_team(engine: Server) -> dict[str, str]:
    """What a token of the team `blue` goes into."""
    made = engine.post(
        "/api/tokens", {"name": "blue", "scopes": ["hooks:write", "deliveries:read"], "team": "blue"}
    )
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['token']}"}


def test_a_token_of_a_team_defines_what_is_its_own(engine: Server, of_team: dict[str, str]) -> None:
    def ask(method: str, path: str, document: Any = None) -> Any:
        return engine.request(method, path, json=document, headers=of_team)

    pipeline = ask("POST", "/api/pipelines", {"name": f"blue one {id(of_team)}"}).json()
    hook = ask("POST", "/api/hooks", {**OWN_HOOK, "pipeline": pipeline["id"]})
    renamed = ask("PATCH", f"/api/hooks/{hook.json()['id']}", {"name": "renamed"})
    listed = ask("GET", "/api/hooks").json()["items"]
    shared = ask("POST", "/api/hooks", OWN_HOOK)
    given_away = ask("PATCH", f"/api/pipelines/{pipeline['id']}", {"team": "red"})
    taken = ask("POST", "/api/pipelines", {"name": "of the others", "team": "red"})

    assert pipeline["team"] == "blue"
    assert (hook.status_code, renamed.status_code) == (201, 200)
    assert {item["pipeline"] for item in listed} <= {
        item["id"] for item in ask("GET", "/api/pipelines").json()["items"]
    }
    assert {item["team"] for item in ask("GET", "/api/pipelines").json()["items"]} == {"blue"}
    assert [answer.status_code for answer in (shared, given_away, taken)] == [422, 422, 422]


def test_a_token_of_a_pipeline_does_not_give_it_to_another_team(engine: Server) -> None:
    """Alerts of that team would from then on be laid at its door."""
    pipeline = new_pipeline(engine, "of the greens", team="green")["id"]
    made = engine.post("/api/tokens", {"name": "one", "scopes": ["hooks:write"], "pipeline": pipeline})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}

    def change(changes: dict[str, str]) -> Any:
        return engine.request("PATCH", f"/api/pipelines/{pipeline}", json=changes, headers=headers)

    renamed, given_away = change({"operation": "restart", "team": "green"}), change({"team": "red"})

    assert (renamed.status_code, given_away.status_code) == (200, 422)
    assert list(given_away.json()["errors"]) == ["team"]
    assert engine.get(f"/api/pipelines/{pipeline}").json()["team"] == "green"


def test_a_token_of_a_team_has_nothing_signed_with_what_others_are_known_by(
    engine: Server, of_team: dict[str, str]
) -> None:
    def ask(method: str, path: str, document: Any = None) -> Any:
        return engine.request(method, path, json=document, headers=of_team)

    pipeline = ask("POST", "/api/pipelines", {"name": f"blue signer {id(of_team)}"}).json()
    signed = {
        **OWN_HOOK,
        "pipeline": pipeline["id"],
        "signing": {"secret": "senders_key", "scheme": "github"},
    }
    elsewhere = {**signed, "target_url": "https://blue.example/"}

    anywhere = ask("POST", "/api/hooks", signed)
    by_the_operator = engine.post("/api/hooks", signed)
    path = f"/api/hooks/{by_the_operator.json()['id']}"
    renamed = ask("PATCH", path, {"name": "renamed"})
    moved = ask("PATCH", path, {"target_url": elsewhere["target_url"]})

    assert anywhere.status_code == 422
    assert "not signed with everyone's secret 'senders_key'" in anywhere.json()["errors"]["signing"][0]
    assert (by_the_operator.status_code, renamed.status_code, moved.status_code) == (201, 200, 422)


@pytest.mark.parametrize("reference", [1, "shop-deploy", "shop-deplo", 77])
def test_a_preview_tells_a_token_of_a_team_nothing_of_other_pipelines(
    engine: Server, of_team: dict[str, str], reference: int | str
) -> None:
    name = f"blue preview {id(of_team)} {reference}"
    pipeline = engine.request("POST", "/api/pipelines", json={"name": name}, headers=of_team).json()
    event = {"type": "action.failed", "action": {"id": 1, "pipeline": reference}}
    document = {"hook": {**OWN_HOOK, "pipeline": pipeline["id"]}, "event": event}

    answer = engine.request("POST", "/api/hooks/preview", json=document, headers=of_team)

    assert answer.status_code == 422
    assert answer.json()["errors"] == {"action.pipeline": [f"There is no pipeline {reference!r}."]}


@pytest.mark.parametrize("said", [{}, {"sample": "action.failed"}])
def test_a_token_of_a_team_previews_no_hook_of_all_pipelines(
    engine: Server, of_team: dict[str, str], said: dict[str, str]
) -> None:
    """Its sample would be of a pipeline that is somebody else's."""
    hook = {**OWN_HOOK, "settings": {"request_body": {"of": "{{ pipeline.name }}"}}}

    answer = engine.request("POST", "/api/hooks/preview", json={"hook": hook, **said}, headers=of_team)
    by_the_operator = engine.post("/api/hooks/preview", {"hook": hook, **said})

    assert answer.status_code == 422
    assert answer.json()["errors"] == {"pipeline": ["Is required: the token is bound to some."]}
    assert by_the_operator.json()["request"]["body"] == '{"of":"shop-deploy"}'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/pipelines/1"),
        ("PATCH", "/api/pipelines/1?force=true"),
        ("DELETE", "/api/pipelines/1?force=true"),
        ("POST", "/api/pipelines/1/integration-key?force=true"),
        ("GET", "/api/hooks/of-file"),
        ("PATCH", "/api/hooks/of-file?force=true"),
        ("DELETE", "/api/hooks/of-file?force=true"),
        ("GET", "/api/hooks/of-file/versions"),
        ("GET", "/api/hooks/of-file/versions/1"),
        ("POST", "/api/hooks/of-file/enable"),
        ("POST", "/api/hooks/of-file/pause"),
        ("GET", "/api/incoming-hooks/incoming-of-file"),
        ("PATCH", "/api/incoming-hooks/incoming-of-file?force=true"),
        ("DELETE", "/api/incoming-hooks/incoming-of-file?force=true"),
        ("POST", "/api/incoming-hooks/incoming-of-file/secret?force=true"),
        ("GET", "/pipelines/1/hooks"),
        ("POST", "/pipelines/1/hooks/outgoing"),
        ("POST", "/pipelines/1/hooks/incoming"),
        ("GET", "/hooks/outgoing/of-file"),
        ("PUT", "/hooks/outgoing/of-file?force=true"),
        ("DELETE", "/hooks/outgoing/of-file?force=true"),
        ("GET", "/hooks/outgoing/of-file/requests"),
        ("GET", "/hooks/incoming/incoming-of-file/requests"),
    ],
)
def test_what_is_another_teams_looks_as_if_it_were_not_there(
    engine: Server, of_team: dict[str, str], method: str, path: str
) -> None:
    before = engine.rows("SELECT version FROM definitions")

    answer = engine.request(
        method, path, json=None if method in {"GET", "DELETE"} else CHANGES, headers=of_team
    )

    assert answer.status_code == 404, answer.text
    assert answer.json()["message"].startswith("no ")
    assert engine.rows("SELECT version FROM definitions") == before
