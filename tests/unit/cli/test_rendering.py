"""`hookengine render`: what would be sent, and why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

STARTED = {
    "type": "action.started",
    "action": {
        "id": 41,
        "pipeline": "shop-deploy",
        "triggered_from": {"hook_parsed_variables": {"branch": "main"}},
    },
}


@pytest.fixture(autouse=True)
def in_the_folder(config: Path) -> None:
    """All tests here have `config.yaml`."""


def event(**changes: Any) -> str:
    return json.dumps({**STARTED, **changes})


def test_a_sample_event_brings_what_the_incoming_hooks_would_parse(run: Any) -> None:
    done = run("render", "--hook", "tell", "--event", "sample:action.started")

    heading, request, header, *body = done.stdout.splitlines()
    assert (done.exit_code, done.stderr) == (0, "")
    assert heading.startswith("# tell (")
    assert heading.endswith(", ordered")
    assert request == "POST http://target.example/41"
    assert header == "Authorization: Bearer <secrets.github>"
    assert json.loads("".join(body[1:])) == {"id": 41, "branch": "main"}


def test_of_several_hooks_with_one_name_those_that_match_are_rendered(run: Any) -> None:
    shown = run(
        "render",
        "--hook",
        "tell",
        "--event",
        "-",
        input=event(type="action.failed", action={"id": 1, "pipeline": 1, "error": "x"}),
    )

    assert shown.exit_code == 0
    assert shown.stdout.count("POST ") == 1
    assert "POST http://target.example/failed" in shown.stdout


def test_a_hook_is_found_by_its_id_too(run: Any) -> None:
    everything = json.loads(
        run("render", "--hook", "tell", "--event", "-", "-o", "json", input=event()).stdout
    )
    first, second = everything["items"]

    shown = json.loads(
        run("render", "--hook", second["hook"]["id"], "--event", "-", "-o", "json", input=event()).stdout
    )
    assert [first["matches"], second["matches"]] == [True, False]
    assert shown["items"] == [second]


def test_a_hook_that_does_not_match_says_why_and_is_a_no(run: Any) -> None:
    other = event(
        action={**STARTED["action"], "triggered_from": {"hook_parsed_variables": {"branch": "dev"}}}
    )  # type: ignore[dict-item]

    result = run("render", "--hook", "tell", "--event", "-", input=other)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "hook_parsed_variables.branch must be one of main, but is dev" in result.stderr
    assert "it wants action.failed, not action.started" in result.stderr


def test_conditions_can_be_ignored(run: Any) -> None:
    result = run(
        "render", "--hook", "tell", "--event", "-", "--ignore-conditions", input=event(type="action.other")
    )

    assert "POST http://target.example/41" in result.stdout
    assert "does not match: it wants action.started, not action.other" in result.stderr


def test_what_cannot_be_rendered_is_told_with_field_line_and_column(run: Any) -> None:
    failed = event(type="action.failed")

    result = run("render", "--hook", "tell", "--event", "-", input=failed)
    shown = json.loads(run("render", "--hook", "tell", "--event", "-", "-o", "json", input=failed).stdout)

    assert result.exit_code == 1
    assert "cannot be rendered: settings.request_body.reason, line 1, column 4: action.error" in result.stderr
    error = shown["items"][1]["error"]
    assert (error["field"], error["line"], error["column"]) == ("settings.request_body.reason", 1, 4)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["--hook", "tel", "--event", "sample:action.started"], 2, "did you mean 'tell'?"),
        (["--hook", "tell", "--event", "nowhere.json"], 2, "nowhere.json cannot be read"),
        (["--hook", "tell", "--event", "config.yaml"], 2, "config.yaml is not JSON"),
        (["--hook", "tell", "--event", "sample:Nothing"], 1, "  type: The type is required"),
        (["--hook", "tell", "--event", "-"], 1, "  action.pipeline: There is no pipeline 'nope'"),
        (["--hook", "tell", "--event", "-", "--config", "no.yaml"], 2, "no.yaml: cannot be read"),
    ],
)
def test_what_cannot_even_be_tried_is_told(arguments: list[str], exit_code: int, said: str, run: Any) -> None:
    result = run("render", *arguments, input=event(action={"id": 1, "pipeline": "nope"}))

    assert said in result.stderr
    assert result.exit_code == exit_code


def test_without_pipelines_any_event_will_do(config: Path, run: Any) -> None:
    config.write_text(
        "hooks:\n"
        '  - {name: a, target_url: "https://a.example/{{ pipeline.name }}", trigger_when: {events: [action.started]}}',
        encoding="utf-8",
    )

    assert (
        "https://a.example/nope"
        in run(
            "render", "--hook", "a", "--event", "-", input=event(action={"id": 1, "pipeline": "nope"})
        ).stdout
    )
    assert (
        "https://a.example/pipeline-1"
        in run("render", "--hook", "a", "--event", "sample:action.started").stdout
    )


def test_rendering_touches_neither_database_nor_secrets(run: Any) -> None:
    before = sorted(path.name for path in Path().iterdir())

    run("render", "--hook", "tell", "--event", "sample:action.started")

    assert sorted(path.name for path in Path().iterdir()) == before


def test_all_requests_of_a_hook_are_shown_in_order_and_what_will_be_asked(config: Path, run: Any) -> None:
    token = '{token: "{{ secrets.github }}", repository: acme/shop}'
    config.write_text(
        "pipelines: [{id: 1, name: shop-deploy}]\n"
        "secrets: {github: {env: GITHUB_TOKEN, hosts: [api.github.com]}}\n"
        "hooks:\n"
        f"  - {{preset: github/deployment-status, name: deployment, with: {token}}}\n"
        f"  - {{preset: github/commit-status, name: status, confirm: true, with: {token}}}\n"
    )

    deployment = run("render", "--hook", "deployment", "--event", "sample:action.started")
    status = run("render", "--hook", "status", "--event", "sample:action.failed")
    as_data = run("render", "--hook", "deployment", "--event", "sample:action.started", "-o", "json")

    lines = deployment.stdout.splitlines()
    assert deployment.exit_code == 0
    assert lines[1] == "# request 1 of 2"
    assert lines[2] == "POST https://api.github.com/repos/acme/shop/deployments"
    assert (
        "POST https://api.github.com/repos/acme/shop/deployments/<captured.deployment_id>/statuses" in lines
    )
    assert "# and to ask what is shown" in status.stdout.splitlines()
    assert "GET https://api.github.com/repos/acme/shop/commits/" in status.stdout
    (before,) = json.loads(as_data.stdout)["items"][0]["before"]
    assert before["url"].endswith("/deployments")
