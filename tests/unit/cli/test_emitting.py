"""`hookengine emit` and `hookengine trigger` against a running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HEAD = "action.triggered_from.hook_parsed_variables"


def sent(canned: Any) -> Any:
    return canned.asked[-1][2]


@pytest.fixture
def accepting(canned: Any) -> Any:
    """A server that accepts anything; `sent` has what it was sent."""
    answer = {"id": "e", "type": "t.t", "action": {"id": 1, "pipeline": {"id": 1, "name": "p"}}, "hooks": []}
    canned.answers(answer, 202)
    return canned


def test_an_event_is_made_of_options(accepting: Any, run: Any) -> None:
    done = run("emit", "action.started", "--pipeline", "shop", "--action", "41", "--id", "e1")

    assert done.exit_code == 0
    assert sent(accepting) == {"id": "e1", "type": "action.started", "action": {"id": 41, "pipeline": "shop"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("main", "main"),
        ("", ""),
        ("a=b", "a=b"),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("007", "007"),
        ("1e5", "1e5"),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_a_value_that_is_set_is_text_unless_it_can_only_mean_something_else(
    text: str, value: Any, accepting: Any, run: Any
) -> None:
    run("emit", "action.started", "--pipeline", "1", "--action", "a", "--set", f"application.x={text}")

    assert sent(accepting)["application"] == {"x": value}


def test_options_are_laid_over_the_data_and_settings_over_both(accepting: Any, run: Any) -> None:
    Path("more.json").write_text(
        '{"type": "a.b", "action": {"id": 1, "pipeline": 2, "error": "x"}}', encoding="utf-8"
    )
    run("emit", "action.failed", "--data", "@more.json", "--action", "7", "--set", "action.error=y")

    assert sent(accepting) == {"type": "action.failed", "action": {"id": 7, "pipeline": 2, "error": "y"}}


def test_data_may_come_over_stdin_and_be_the_whole_event(accepting: Any, run: Any) -> None:
    event = {"type": "action.failed", "action": {"id": 1, "pipeline": 2}}

    assert run("emit", "--data", "-", input=json.dumps(event)).exit_code == 0
    assert sent(accepting) == event


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which TYPE of event?"),
        (["action.started", "--set", "x"], "must be like action.number=3"),
        (["action.started", "--set", "a..b=1"], "must be like action.number=3"),
        (["action.started", "--set", "a.b=[1"], "the value of --set a.b=[1 is not JSON"),
        (["action.started", "--data", "[]"], "--data must hold a JSON object"),
        (["action.started", "--data", "{"], "--data is not JSON"),
        (["action.started", "--data", "@nowhere.json"], "nowhere.json cannot be read: No such file"),
        (["action.started", "--file", "-"], "--file holds whole events"),
        (["action.started", "--token-file", "nowhere"], "no token can be read from nowhere"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_is(
    arguments: list[str], said: str, folder: Path, run: Any
) -> None:
    result = run("emit", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_hooks_that_match_are_named_with_their_deliveries(server: Any, run: Any) -> None:
    done = run(
        "emit",
        "action.started",
        "--pipeline",
        "shop-deploy",
        "--action",
        "41",
        "--set",
        f"{HEAD}.branch=main",
    )

    first, hook = done.stdout.splitlines()
    assert done.exit_code == 0
    assert first.startswith("accepted action.started of action 41 on shop-deploy, event evt_")
    assert hook.split()[0] == "tell"
    assert hook.split()[1].startswith("dlv_")


def test_a_hook_that_cannot_be_rendered_is_told_with_the_reason(server: Any, run: Any) -> None:
    done = run("emit", "action.failed", "--pipeline", "1", "--action", "41")

    assert done.exit_code == 0
    assert "cannot be rendered: settings.request_body.reason, line 1, column 4" in done.stdout


def test_an_event_that_nobody_wants_says_so(server: Any, run: Any) -> None:
    assert (
        "  no hook wants it\n" in run("emit", "action.cancelled", "--pipeline", "1", "--action", "1").stdout
    )


def test_a_type_that_looks_like_one_of_the_lifecycle_is_asked_about(server: Any, run: Any) -> None:
    misspelt = run("emit", "action.startd", "--pipeline", "1", "--action", "1")
    another = run("emit", "stage.entered", "--pipeline", "1", "--action", "1")

    assert "did you mean action.started?" in misspelt.stderr
    assert another.stderr == ""


def test_many_events_come_from_a_file_and_the_answer_may_be_json(server: Any, run: Any) -> None:
    events = [{"type": "action.queued", "action": {"id": number, "pipeline": 1}} for number in (1, 2)]
    Path("events.json").write_text(json.dumps(events), encoding="utf-8")

    assert len(json.loads(run("emit", "--file", "events.json", "-o", "json").stdout)) == 2
    assert run("emit", "--file", "-", input=json.dumps(events[0])).stdout.startswith("accepted action.queued")


def test_a_refused_event_is_a_no_with_a_line_per_field(server: Any, run: Any) -> None:
    result = run("emit", "action.started", "--pipeline", "shop-deplo")

    assert result.exit_code == 1
    assert "  action.id: The action's id is required" in result.stderr
    assert result.stdout == ""


def test_the_token_may_come_from_a_file(server: Any, run: Any) -> None:
    arguments = ("emit", "action.queued", "--pipeline", "1", "--action", "1", "--token-file", "token")

    assert run(*arguments, env={"HOOKENGINE_TOKEN": None}).exit_code == 0


def test_triggering_starts_an_action(server: Any, run: Any) -> None:
    body = {"action": "opened", "head": {"sha": "abc", "ref": "main"}}

    done = run("trigger", "0a1b2c3d-incoming", "--data", json.dumps(body))

    assert done.exit_code == 0
    line, hook = done.stdout.splitlines()
    assert line.startswith("started action 1000000001 on shop-deploy, event evt_")
    assert hook == "  no hook wants it"


def test_triggering_names_what_matched(run: Any, canned: Any) -> None:
    action = {"id": 7, "pipeline": {"id": 1, "name": "shop-deploy"}}
    canned.answers({"message": "", "action": action, "event": {"id": "evt_1"}, "matched": 1}, 202)
    canned.answers({"hooks": [{"id": "chat", "name": "tell the chat", "delivery": "dlv_1"}]})

    done = run("trigger", "0a1b2c3d-incoming")

    assert done.stdout.splitlines()[1] == "  tell the chat  dlv_1"
    assert canned.asked[1][:2] == ("GET", "/api/events/evt_1?pipeline=1")


@pytest.mark.parametrize(
    ("matched", "said"), [(0, "0 hooks want it"), (1, "1 hook wants it"), (2, "2 hooks want it")]
)
def test_who_may_not_read_what_matched_is_told_how_many(
    matched: int, said: str, run: Any, canned: Any
) -> None:
    action = {"id": 7, "pipeline": {"id": 1, "name": "shop-deploy"}}
    canned.answers({"message": "", "action": action, "event": {"id": "evt_1"}, "matched": matched}, 202)
    canned.answers({"message": "no event"}, 404)

    done = run("trigger", "0a1b2c3d-incoming")

    assert (done.exit_code, done.stdout) == (
        0,
        f"started action 7 on shop-deploy, event evt_1\n  {said}\n",
    )


def test_triggering_what_does_not_hold_is_a_no(server: Any, run: Any) -> None:
    result = run("trigger", "0a1b2c3d-incoming", "--data", '{"action": "closed"}')

    assert result.exit_code == 1
    assert result.stderr == "Nothing was started: action is not one of opened.\n"


def test_triggering_answers_in_json_too(server: Any, run: Any) -> None:
    body = {"action": "opened", "head": {"sha": "abc"}}

    answer = json.loads(run("trigger", "0a1b2c3d-incoming", "--data", json.dumps(body), "-o", "json").stdout)

    assert answer["message"] == "The action was started."
