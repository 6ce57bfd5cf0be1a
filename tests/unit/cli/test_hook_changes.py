"""`hookengine hooks create`, `edit`, `delete`, `versions` and `preview`, and `hookengine test`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CHAT = """\
name: tell the chat
pipeline: shop-deploy
target_url: http://127.0.0.1:8999/
settings: {request_body: {text: "{{ action.id }} failed"}}
trigger_when: {events: [action.failed]}
"""


@pytest.fixture
def chat(config: Path, run: Any) -> str:
    """The id of a hook that was made by command, in the database of `config`."""
    text = config.read_text("utf-8") + "delivery: {allow_networks: [127.0.0.0/8]}\n"
    config.write_text(text, encoding="utf-8")
    assert run("apply").exit_code == 0
    made = run("hooks", "create", "-", "-o", "json", input=CHAT)
    assert made.exit_code == 0, made.stderr
    return str(json.loads(made.stdout)["id"])


def shown(run: Any, *command: str) -> Any:
    return json.loads(run(*command, "-o", "json").stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody sits there, and their editor does what the test says."""

    def with_editor(does: Any) -> None:
        monkeypatch.setattr("hookengine.cli.hook_changes.sys", type("Sys", (), {"stdin": _Terminal()}))
        monkeypatch.setattr("click.edit", lambda text, **_: does(text))

    return with_editor


class _Terminal:
    @staticmethod
    def isatty() -> bool:
        return True


def test_what_a_hook_is_shown_as_makes_another_one_like_it(chat: str, run: Any) -> None:
    done = run("hooks", "create", "-", input=run("hooks", "show", chat).stdout)

    twin = shown(run, "hooks", "show", done.stdout.split()[-1])
    first = shown(run, "hooks", "show", chat)
    assert done.stdout.startswith("hook tell the chat is created: ")
    assert twin["id"] != first["id"]
    assert (twin["settings"], twin["pipeline"]) == (first["settings"], first["pipeline"])


def test_a_hook_is_changed_in_an_editor_and_only_where_it_was_changed(
    chat: str, run: Any, terminal: Any
) -> None:
    terminal(lambda text: text.replace("}} failed", "}} has failed"))

    done = run("hooks", "edit", "tell the chat")

    assert done.stdout == "hook tell the chat is changed: settings\n"
    body = shown(run, "hooks", "show", chat)["settings"]["request_body"]
    assert body == {"text": "{{ action.id }} has failed"}
    versions = run("hooks", "versions", chat).stdout.splitlines()
    assert [line.split()[0] for line in versions] == ["VERSION", "2", "1"]
    assert [line.split()[-1] for line in versions[1:]] == ["settings", "created"]


def test_a_hook_that_is_left_as_it_is_is_unchanged(chat: str, run: Any, terminal: Any) -> None:
    terminal(lambda text: None)

    assert run("hooks", "edit", chat).stdout == "hook tell the chat is unchanged\n"
    assert shown(run, "hooks", "show", chat)["version"] == 1


def test_a_key_that_is_taken_out_is_as_usual_again(chat: str, run: Any) -> None:
    without = CHAT.replace("settings: ", "settings: {}  # ")

    assert run("hooks", "edit", chat, "--file", "-", input=without).exit_code == 0
    assert shown(run, "hooks", "show", chat)["settings"]["request_body"] is None


def test_what_was_written_in_an_editor_is_not_lost_when_it_is_refused(
    chat: str, run: Any, terminal: Any
) -> None:
    terminal(lambda text: text.replace("target_url", "target_ur1"))

    refused = run("hooks", "edit", chat)

    assert refused.exit_code == 1
    assert "target_ur1" in refused.stderr
    assert f"hooks edit {chat} --file hook-{chat}.yaml` tries it again" in refused.stderr
    assert "target_ur1" in Path(f"hook-{chat}.yaml").read_text("utf-8")


def test_what_files_manage_is_changed_only_by_force(chat: str, run: Any) -> None:
    managed = next(hook for hook in shown(run, "hooks", "list")["items"] if hook["managed_by"] != "api")

    refused = run("hooks", "delete", managed["id"], "--yes")
    forced = run("hooks", "delete", managed["id"], "--yes", "--force")

    assert (refused.exit_code, "say --force to take it over" in refused.stderr) == (1, True)
    assert (forced.exit_code, forced.stdout) == (0, "hook tell is deleted\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2", "line 2, column 2: "),
        ("- a\n", "a mapping of keys"),
        ("hooks: []\n", "is a whole file: `hookengine apply"),
    ],
)
def test_what_is_no_hook_is_a_wrong_usage(chat: str, run: Any, text: str, said: str) -> None:
    refused = run("hooks", "create", "-", input=text)

    assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr


def test_a_preview_shows_the_request_and_why_it_would_not_be_sent(chat: str, run: Any) -> None:
    usual = run("hooks", "preview", chat)
    other = run("hooks", "preview", chat, "--event", "sample:action.started")
    forced = run("hooks", "preview", chat, "--event", "sample:action.started", "--ignore-conditions")

    assert (usual.exit_code, '"text": "41 failed"' in usual.stdout) == (0, True)
    assert (other.exit_code, other.stdout, "does not match" in other.stderr) == (1, "", True)
    assert (forced.exit_code, '"text": "41 failed"' in forced.stdout) == (0, True)


def test_a_test_sends_one_real_request_and_its_answer_decides(chat: str, run: Any) -> None:
    refused = run("test", chat)

    assert refused.exit_code == 1
    assert "\ntest_" in refused.stdout
    assert "Connection refused" in refused.stdout or "unreachable" in refused.stdout


def test_a_test_that_is_answered_well_is_a_yes(canned: Any, run: Any) -> None:
    hook = {"id": "h1", "name": "tell"}
    sent = {"id": "test_1", "outcome": "answered", "because": "204", "detail": {"status": 204, "body": ""}}
    request = {"method": "POST", "url": "http://a.example/", "headers": [], "body": None}
    canned.answers({"items": [hook], "next": None})
    canned.answers({"why_not": None, "error": None, "request": request, "sent": sent})

    done = run("test", "tell", "--event", "evt_1")

    assert (done.exit_code, done.stdout) == (0, "POST http://a.example/\n\ntest_1  204\n\n")
    assert canned.asked[-1] == (
        "POST",
        "/api/hooks/h1/test",
        {"event_id": "evt_1", "ignore_conditions": False},
    )


def test_deployments_are_told_with_whose_they_are(canned: Any, run: Any) -> None:
    item = {
        "event": {"id": "evt_1", "type": "action.completed"},
        "action": {"id": 41, "type": "deploy", "status": "completed"},
        "pipeline": {"id": 1, "name": "shop-deploy"},
        "team": "red",
        "application": "shop",
        "environment": None,
        "occurred_at": "2026-11-22T10:00:00.000Z",
        "seconds_before": 60.0,
    }
    canned.answers({"scope": "team", "from": "FROM", "to": "TO", "items": [item]})

    done = run("deployments", "--team", "red", "--window", "30")

    assert canned.asked == [("GET", "/api/deployments?team=red&window=30&limit=100", None)]
    assert done.stdout.splitlines()[1].split() == [
        "41",
        "deploy",
        "completed",
        "2026-11-22T10:00:00.000Z",
        "shop-deploy",
        "red",
        "shop",
    ]
    assert done.stderr == "FROM to TO, the pipelines of red\n"
