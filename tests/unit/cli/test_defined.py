"""`hookengine hooks` and `hookengine pipelines`, in the database and over a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NAMED = """\
hooks:
  - id: chat
    name: tell the chat
    target_url: https://chat.example/
    trigger_when: {events: [action.failed]}
"""


@pytest.fixture(params=["database", "server"])
def there(request: pytest.FixtureRequest, config: Path, run: Any) -> str:
    Path("hooks.yaml").write_text(NAMED, encoding="utf-8")
    if request.param == "server":
        request.getfixturevalue("server")
    else:
        assert run("apply", "--selector", "managed-by=file").exit_code == 0
    assert run("apply", "hooks.yaml").exit_code == 0
    return str(request.param)


def shown(run: Any, *command: str) -> Any:
    return json.loads(run(*command, "-o", "json").stdout)


def test_hooks_are_listed_with_their_state_pipeline_and_manager(there: str, run: Any) -> None:
    listed = run("hooks", "list")

    assert listed.stdout.splitlines()[0].split()[:4] == ["ID", "STATE", "NAME", "PIPELINE"]
    (chat,) = [line for line in listed.stdout.splitlines() if line.startswith("chat ")]
    assert chat.split() == ["chat", "active", "tell", "the", "chat", "(all)", "action.failed", "file:apply"]
    assert len(shown(run, "hooks", "list", "--pipeline", "shop-deploy")["items"]) == 2
    assert shown(run, "hooks", "list", "--state", "paused")["items"] == []


def test_a_hook_is_shown_by_its_name_or_its_id(there: str, run: Any) -> None:
    by_id, by_name = shown(run, "hooks", "show", "chat"), shown(run, "hooks", "show", "tell the chat")

    assert by_id == by_name
    assert by_id["target_url"] == "https://chat.example/"
    assert "target_url: https://chat.example/\n" in run("hooks", "show", "chat").stdout


def test_a_name_of_several_hooks_is_told_with_their_ids(there: str, run: Any) -> None:
    ids = [hook["id"] for hook in shown(run, "hooks", "list", "--pipeline", "1")["items"]]

    result = run("hooks", "show", "tell")

    assert result.exit_code == 2
    assert f"2 hooks have the name 'tell'; say which one: {', '.join(ids)}" in result.stderr


def test_a_hook_that_is_not_there_is_told_with_what_was_meant(there: str, run: Any) -> None:
    result = run("hooks", "pause", "chatt", "why not")

    assert result.exit_code == 1
    assert "there is no hook 'chatt', did you mean 'chat'?" in result.stderr


@pytest.mark.parametrize(("command", "state"), [("pause", "paused"), ("disable", "disabled")])
def test_a_hook_is_switched_with_a_reason_and_on_again(
    there: str, run: Any, command: str, state: str
) -> None:
    switched = run("hooks", command, "chat", "the chat moves")
    off = shown(run, "hooks", "show", "chat")
    enabled = run("hooks", "enable", "chat")
    on = shown(run, "hooks", "show", "chat")

    assert (switched.exit_code, switched.stdout) == (0, f"hook tell the chat is {state}\n")
    assert (off["state"], off["because"]) == (state, "the chat moves")
    assert (enabled.exit_code, on["state"], on["because"]) == (0, "active", None)


def test_pipelines_are_listed_and_shown(there: str, run: Any) -> None:
    assert "shop-deploy" in run("pipelines", "list").stdout
    assert shown(run, "pipelines", "list")["items"] == [shown(run, "pipelines", "show", "shop-deploy")]
    assert shown(run, "pipelines", "show", "1")["operation"] == "deploy"
    assert run("pipelines", "show", "shop-deplo").exit_code == 1


def test_lists_are_written_as_yaml_too(there: str, run: Any) -> None:
    assert run("pipelines", "list", "-o", "yaml").stdout.startswith("items:\n  - id: 1\n")
