"""Pipelines, hooks and incoming hooks over the engine's own routes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import API_TOKEN, Server, a_config, a_hook, sha_of, write_config

TARGET = "https://target.example/statuses/{{ action.id }}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("definitions")
    config = a_config(
        a_hook("https://target.example/of-file", "action.started", id="of-file", name="of the file"),
        pipeline={"incoming_hooks": [{"id": "incoming-of-file", "name": "of the file"}]},
        delivery={"allow_networks": []},
        secrets={"senders_key": {"stored": True}},
        auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}},
    )
    write_config(folder, config)
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    yield server
    server.close()


def patch(engine: Server, path: str, document: Any) -> Any:
    return engine.request("PATCH", path, json=document)


def delete(engine: Server, path: str) -> Any:
    return engine.request("DELETE", path)


def new_pipeline(engine: Server, name: str, **changes: Any) -> dict[str, Any]:
    answer = engine.post("/api/pipelines", {"name": name, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def new_hook(engine: Server, **changes: Any) -> dict[str, Any]:
    document = {
        "pipeline": 1,
        "name": "a hook",
        "target_url": TARGET,
        "trigger_when": {"events": ["action.failed"]},
        **changes,
    }
    answer = engine.post("/api/hooks", document)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


# Pipelines


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


# Hooks


def test_a_hook_is_shown_as_it_was_written_and_can_be_written_as_it_is_shown(engine: Server) -> None:
    written = {
        "name": "everything",
        "method": "PUT",
        "target_url": TARGET,
        "action_type": "deploy",
        "settings": {
            "request_headers": [{"name": "x-a", "value": "{{ action.id }}"}],
            "request_body": {"a": 1},
        },
        "trigger_when": {
            "events": ["action.failed", "action.started"],
            "conditions": [{"path": "action.type", "accepted_values": ["deploy", 7, None]}],
        },
        "lane": {"policy": "ordered", "key": "{{ action.id }}"},
        "retry": {"waits": ["1s", "90s", "2h"], "jitter": 0.5, "give_up_after": "1d"},
        "timeout": "1500ms",
        "rate": "10/min",
        "responses": [
            {"status": ["422", "5xx"], "then": "retry", "tries": 3, "after": "7s", "because": "so"}
        ],
    }

    made = new_hook(engine, **written)
    again = new_hook(
        engine, **{key: made[key] for key in (*written, "pipeline")}
    )  # what it shows, without what it says of itself

    assert {key: made[key] for key in written} == {
        **written,
        "retry": {"waits": ["1s", "90s", "2h"], "jitter": 0.5, "give_up_after": "1d"},
    }
    assert {key: again[key] for key in written} == {key: made[key] for key in written}


def test_a_hook_made_of_a_preset_says_so_and_is_changed_by_its_blanks(engine: Server) -> None:
    blanks = {"repository": "acme/shop", "context": "ci/of our own"}
    answer = engine.post(
        "/api/hooks", {"pipeline": "shop-deploy", "preset": "github/commit-status", "with": blanks}
    )
    made = answer.json()

    changed = patch(engine, f"/api/hooks/{made['id']}", {"with": {"repository": "acme/blog"}})
    delete(engine, f"/api/hooks/{made['id']}")

    assert answer.status_code == 201, answer.text
    assert (made["preset"], made["with"], made["pipeline"]) == ("github/commit-status", blanks, 1)
    assert changed.status_code == 200, changed.text
    assert changed.json()["with"] == {**blanks, "repository": "acme/blog"}
    assert changed.json()["version"] == 2
    assert "target_url" in changed.json()["request"]


def test_a_hook_works_from_the_moment_its_creation_is_answered(engine: Server) -> None:
    made = new_hook(engine, trigger_when={"events": ["action.cancelled"]})

    (answer,) = engine.accept({"type": "action.cancelled", "action": {"id": 7, "pipeline": 1}})
    delete(engine, f"/api/hooks/{made['id']}")
    (after,) = engine.accept({"type": "action.cancelled", "action": {"id": 8, "pipeline": 1}})

    assert [hook["id"] for hook in answer["hooks"]] == [made["id"]]
    assert after["hooks"] == []


def test_only_what_is_said_is_changed(engine: Server) -> None:
    made = new_hook(
        engine,
        settings={"request_headers": [{"name": "x-a", "value": "b"}], "request_body": {"a": 1}},
        rate="10/min",
    )
    path = f"/api/hooks/{made['id']}"

    body = patch(engine, path, {"settings": {"request_body": {"b": 2}}}).json()
    rate = patch(engine, path, {"rate": None, "trigger_when": {"conditions": []}}).json()

    assert body["settings"] == {"request_headers": [{"name": "x-a", "value": "b"}], "request_body": {"b": 2}}
    assert (body["rate"], body["trigger_when"]) == ("10/min", made["trigger_when"])
    assert "rate" not in rate
    assert rate["trigger_when"] == made["trigger_when"]


def test_every_version_stays_readable(engine: Server) -> None:
    made = new_hook(engine)
    patch(engine, f"/api/hooks/{made['id']}", {"name": "renamed"})

    versions = engine.get(f"/api/hooks/{made['id']}/versions").json()["items"]
    first = engine.get(f"/api/hooks/{made['id']}/versions/1")
    none = engine.get(f"/api/hooks/{made['id']}/versions/3")

    assert [(version["version"], version["name"]) for version in versions] == [(2, "renamed"), (1, "a hook")]
    assert first.json() == versions[1]
    assert none.status_code == 404


def test_a_hook_is_switched_with_a_reason_that_everybody_sees(engine: Server) -> None:
    path = f"/api/hooks/{new_hook(engine)['id']}"

    without = engine.post(f"{path}/pause", {})
    paused = engine.post(f"{path}/pause", {"reason": "for the holidays"}).json()
    renamed = patch(engine, path, {"name": "renamed"}).json()
    disabled = engine.post(f"{path}/disable", {"reason": "not needed"}).json()
    enabled = engine.request("POST", f"{path}/enable").json()

    nothing = engine.request("POST", f"{path}/pause")
    assert (without.status_code, list(without.json()["errors"])) == (422, ["reason"])
    assert nothing.json() == without.json()
    assert (paused["state"], paused["because"], paused["active"]) == ("paused", "for the holidays", True)
    assert (renamed["state"], renamed["because"]) == ("paused", "for the holidays")
    assert (disabled["state"], disabled["because"], disabled["active"]) == ("disabled", "not needed", False)
    assert (enabled["state"], enabled["because"]) == ("active", None)


def test_hooks_are_listed_by_pipeline_name_and_state(engine: Server) -> None:
    pipeline = new_pipeline(engine, "listed")["id"]
    made = [new_hook(engine, pipeline=pipeline, name=f"number {number}")["id"] for number in range(3)]
    engine.post(f"/api/hooks/{made[1]}/pause", {"reason": "tired"})

    def ids(query: str) -> list[str]:
        return [item["id"] for item in engine.get(f"/api/hooks?pipeline=listed&{query}").json()["items"]]

    first = engine.get(f"/api/hooks?pipeline={pipeline}&limit=2").json()

    assert [item["id"] for item in first["items"]] == made[:2]
    assert ids(f"limit=2&after={first['next']}") == made[2:]
    assert ids("state=paused") == made[1:2]
    assert ids("name=number 2") == made[2:]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"target_url": TARGET, "trigger_when": {"events": ["action.failed"]}}, "name"),
        ({"name": "a", "target_url": TARGET}, "trigger_when"),
        ({"pipeline": 99, "name": "a"}, "pipeline"),
        ({"pipeline": "shop-deplo", "name": "a"}, "pipeline"),
        ({"pipeline": [1], "name": "a"}, "pipeline"),
        ({"preset": "github/commit-stauts", "with": {}}, "preset"),
        ({"preset": "github/commit-status", "with": {"repo": "x"}}, "with.repo"),
    ],
)
def test_what_is_wrong_with_a_hook_is_told_by_field(
    engine: Server, document: dict[str, Any], field: str
) -> None:
    answer = engine.post("/api/hooks", document)

    assert answer.status_code == 422
    assert field in answer.json()["errors"]


def test_a_secret_that_nobody_has_is_told_before_an_event_misses_it(engine: Server) -> None:
    answer = engine.post(
        "/api/hooks",
        {
            "name": "a",
            "target_url": "https://target.example",
            "settings": {"request_headers": [{"name": "x-token", "value": "{{ secrets.hots }}"}]},
            "trigger_when": {"events": ["action.failed"]},
        },
    )

    (told,) = answer.json()["errors"]["settings.request_headers[0].value"]
    assert answer.status_code == 422
    assert told.startswith("There is no secret 'hots', did you mean 'host'?")


@pytest.mark.parametrize("secret", ["secrets.host", "application.source_provider.access_token"])
def test_a_secret_that_may_not_go_there_is_told_when_the_hook_is_saved(engine: Server, secret: str) -> None:
    answer = engine.post(
        "/api/hooks",
        {
            **OWN_HOOK,
            "settings": {"request_headers": [{"name": "x-token", "value": f"{{{{ {secret} }}}}"}]},
        },
    )

    (told,) = answer.json()["errors"]["settings.request_headers[0].value"]
    assert answer.status_code == 422
    assert f"{secret} may not go to target.example" in told


# What files manage


@pytest.mark.parametrize(
    "path", ["/api/pipelines/1", "/api/hooks/of-file", "/api/incoming-hooks/incoming-of-file"]
)
def test_what_a_file_manages_says_so_and_is_changed_there(engine: Server, path: str) -> None:
    shown = engine.get(path).json()

    answers = [patch(engine, path, {"name": "taken over"}), delete(engine, path)]

    assert shown["managed_by"] != "api"
    assert [answer.status_code for answer in answers] == [409, 409]
    assert all("force=true" in answer.json()["message"] for answer in answers)
    assert engine.get(path).json() == shown


def test_what_a_file_manages_may_be_taken_over(engine: Server) -> None:
    path = "/api/incoming-hooks/incoming-of-file"

    forced = patch(engine, f"{path}?force=true", {"active": False})

    assert forced.status_code == 200
    assert (forced.json()["managed_by"], forced.json()["active"]) == ("api", False)
    assert patch(engine, path, {"active": True}).status_code == 200


# Incoming hooks


def signed(engine: Server, path: str, body: bytes, secret: str) -> Any:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return engine.request("POST", path, content=body, headers={"x-hub-signature-256": f"sha256={digest}"})


def test_a_new_incoming_hook_wants_signatures_with_the_secret_it_answers(engine: Server) -> None:
    answer = engine.post(
        "/api/incoming-hooks",
        {
            "pipeline": 1,
            "name": "pushes",
            "variables": [{"name": "commit_hash", "path": "after", "required": True}],
        },
    )
    made = answer.json()
    path, body = made["url"].removeprefix(engine.url), json.dumps({"after": sha_of(3)}).encode()

    taken = signed(engine, path, body, made["new_secret"])
    renewed = engine.request("POST", f"/api/incoming-hooks/{made['id']}/secret").json()["new_secret"]
    old, new = (signed(engine, path, body, secret) for secret in (made["new_secret"], renewed))
    opened = patch(engine, f"/api/incoming-hooks/{made['id']}", {"requires_secret": False}).json()
    anybody = engine.request("POST", path, content=body, headers={})

    assert answer.status_code == 201, answer.text
    assert made["requires_secret"]
    assert "new_secret" not in engine.get(f"/api/incoming-hooks/{made['id']}").json()
    assert [answer.status_code for answer in (taken, old, new, anybody)] == [202, 403, 202, 202]
    assert not opened["requires_secret"]


def test_an_incoming_hook_without_requirements_takes_an_empty_body(engine: Server) -> None:
    made = engine.post(
        "/api/incoming-hooks", {"pipeline": "shop-deploy", "name": "by hand", "requires_secret": False}
    ).json()
    hook = new_hook(
        engine,
        trigger_when={
            "events": ["action.queued"],
            "conditions": [{"path": "action.triggered_from.hook_id", "accepted_values": [made["id"]]}],
        },
        target_url="https://target.example/{{ action.triggered_from.name }}",
    )

    answer = engine.request("POST", made["url"].removeprefix(engine.url), headers={}).json()
    told = engine.get(f"/api/events/{answer['event']['id']}").json()

    assert [matched["id"] for matched in told["hooks"]] == [hook["id"]]
    assert answer["action"]["pipeline"]["id"] == 1


def test_incoming_hooks_are_changed_listed_and_deleted(engine: Server) -> None:
    pipeline = new_pipeline(engine, "of incoming hooks")["id"]
    made = engine.post(
        "/api/incoming-hooks", {"pipeline": pipeline, "name": "one", "requires_secret": True}
    ).json()
    path = f"/api/incoming-hooks/{made['id']}"

    changed = patch(engine, path, {"name": "two", "variables": [{"name": "a"}]}).json()
    listed = engine.get(f"/api/incoming-hooks?pipeline={pipeline}").json()
    delete(engine, path)

    assert (changed["name"], changed["requires_secret"]) == ("two", True)
    assert [variable["path"] for variable in changed["variables"]] == ["a"]
    assert listed == {"items": [changed], "next": None}
    assert engine.get(path).status_code == 404
    assert engine.request("POST", made["url"].removeprefix(engine.url), headers={}).status_code == 404


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"name": "a"}, "pipeline"),
        ({"pipeline": 1}, "name"),
        ({"pipeline": 1, "name": "a", "requires_secret": 1}, "requires_secret"),
        ({"pipeline": 1, "name": "a", "secret": "nobody's"}, "secret"),
        ({"pipeline": 1, "name": "a", "secret": "host", "requires_secret": False}, "secret"),
        ({"pipeline": 1, "name": "a", "variables": [{"name": "x"}, {"name": "x"}]}, "variables[1].name"),
    ],
)
def test_what_is_wrong_with_an_incoming_hook_is_told_by_field(
    engine: Server, document: dict[str, Any], field: str
) -> None:
    answer = engine.post("/api/incoming-hooks", document)

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


# Who comes in, and what is not there


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/hooks/outgoing/trigger"),
        ("GET", "/hooks/outgoing/trigger"),
        ("PUT", "/hooks/incoming/trigger"),
        ("POST", "/hooks/outgoing/x/trigger"),
        ("GET", "/pipelines/1/hooks"),
        ("POST", "/pipelines/1/hooks/outgoing"),
        ("POST", "/api/hooks/x/trigger"),
    ],
)
def test_only_a_trigger_itself_is_open_to_strangers(engine: Server, method: str, path: str) -> None:
    answer = engine.request(method, path, headers={})

    assert answer.status_code == 401
    assert list(answer.json()) == ["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/pipelines/1/hooks/", 404),
        ("GET", "/pipelines/1/hooks/sideways", 404),
        ("GET", "/hooks/sideways/1", 404),
        ("POST", "/pipelines/one/hooks/outgoing", 422),
        ("GET", "/pipelines/0/hooks", 422),
        ("PUT", "/pipelines/1/hooks/outgoing", 405),
        ("DELETE", "/pipelines/1/hooks", 405),
        ("POST", "/hooks/outgoing/1", 405),
        ("GET", "/api/hooks/1/enable", 405),
    ],
)
def test_every_error_has_the_same_shape_and_nothing_is_redirected(
    engine: Server, method: str, path: str, status: int
) -> None:
    answer = engine.request(method, path)

    assert answer.status_code == status
    assert answer.json()["message"]
    assert set(answer.json()) <= {"message", "errors"}
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(engine: Server, body: bytes) -> None:
    answers = [
        engine.request(method, path, content=body)
        for method, path in (
            ("POST", "/pipelines/1/hooks/outgoing"),
            ("POST", "/api/hooks"),
            ("PATCH", "/api/pipelines/1"),
        )
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert all(list(answer.json()["errors"]) == ["body"] for answer in answers)


# Whose it is


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


OWN_HOOK = {
    "name": "own",
    "target_url": "https://target.example/",
    "trigger_when": {"events": ["action.failed"]},
}
CHANGES = {"name": "x", "target_url": TARGET, "requires_secret": False, "reason": "x"}


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


def test_a_token_that_may_only_read_changes_nothing(engine: Server) -> None:
    made = engine.post("/api/tokens", {"name": "reader", "scopes": ["hooks:read"]}).json()
    headers = {"Authorization": f"Bearer {made['token']}"}

    read = engine.request("GET", "/pipelines/1/hooks", headers=headers)
    written = engine.request("POST", "/pipelines/1/hooks/outgoing", json=OWN_HOOK, headers=headers)

    assert (read.status_code, written.status_code) == (200, 403)
