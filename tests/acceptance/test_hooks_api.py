"""Hooks over the engine's own routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.definitions import OWN_HOOK, TARGET, delete, new_hook, new_pipeline, patch
from tests.acceptance.server import Server


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
