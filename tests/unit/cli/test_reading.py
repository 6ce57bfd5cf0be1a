"""`hookengine actions`, `events`, `status` and `replays` against a running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HEAD = "action.triggered_from.hook_parsed_variables"


@pytest.fixture
def event(server: Any, run: Any) -> str:
    """The id of one whose only delivery has failed: the fence does not let it out."""
    arguments = ("--pipeline", "1", "--action", "41", "--set", f"{HEAD}.branch=main", "-o", "json")
    done = run("emit", "action.started", *arguments)
    server.logged("delivery.ended")
    return str(json.loads(done.stdout)["id"])


def test_events_are_listed_and_shown(event: str, run: Any) -> None:
    heading, line = run("events", "list").stdout.splitlines()
    shown = run("events", "show", event).stdout

    assert heading.split() == ["ID", "TYPE", "ACTION", "PIPELINE", "HOOKS", "ACCEPTED"]
    assert line.split()[:5] == [event, "action.started", "41", "shop-deploy", "1"]
    assert shown.startswith(f"{event}  action.started\n")
    assert '"branch": "main"' in shown
    assert run("events", "show", "none").exit_code == 1


def test_an_event_is_explained_and_one_that_was_not_sent_too(event: str, run: Any, tmp_path: Path) -> None:
    unsent = tmp_path / "event.json"
    unsent.write_text('{"type": "action.failed", "action": {"id": 1, "pipeline": 1}}')

    stored = run("events", "explain", event).stdout.splitlines()
    other = run("events", "explain", "--file", str(unsent)).stdout.splitlines()

    assert stored[0].startswith("tell  matches  (dlv_")
    assert stored[1] == "tell  does not match: it wants action.failed, not action.started"
    assert other == ["tell  matches", "tell  does not match: it wants action.started, not action.failed"]
    assert run("events", "explain").exit_code == 2


def test_actions_are_listed_and_shown(event: str, run: Any) -> None:
    listed = run("actions", "list", "--status", "in-progress")
    shown = run("actions", "show", "41").stdout
    as_yaml = run("actions", "show", "41", "-o", "yaml").stdout

    assert listed.stdout.splitlines()[1].split()[:4] == ["41", "in-progress", "shop-deploy", "deploy"]
    assert shown.startswith("41  in-progress\n")
    assert f"action.started  {event}\n" in shown
    assert "nothing was delivered yet; action.started (dlv_" in shown
    assert as_yaml.startswith("id: 41\npipeline:\n  id: 1\n")
    assert run("actions", "show", "42").exit_code == 1


def test_a_commit_that_nobody_told_of_is_a_no(server: Any, run: Any) -> None:
    result = run("status", "6dcb09b5")

    assert (result.exit_code, result.stderr) == (1, "no commit '6dcb09b5'\n")


def test_a_commit_is_told_with_its_states_and_its_warnings(run: Any, canned: Any) -> None:
    sent = {
        "id": "dlv_1",
        "status": "delivered",
        "accepted_at": "2026-11-22T10:00:00.000Z",
        "state": "success",
        "event": {"type": "action.completed"},
    }
    status = {
        "host": "api.github.com",
        "repository": "acme/shop",
        "sha": "6dcb09b5",
        "context": "ci/\x1b[2Jshop",
        "lane": {"key": "status:[]", "policy": "latest"},
        "why": "success (dlv_1) was delivered",
        "sent": [sent],
        "more": ["sent"],
    }
    answer = {"sha": "6dcb09b5", "statuses": [status], "warnings": ["two contexts"], "more": ["statuses"]}
    canned.answers(answer)

    shown = run("status", "6dcb09b5")

    assert "acme/shop  6dcb09b5  ci/\N{REPLACEMENT CHARACTER}[2Jshop  (api.github.com)\n" in shown.stdout
    assert "  success (dlv_1) was delivered\n" in shown.stdout
    assert "success       delivered  dlv_1\n  older ones are left out\n" in shown.stdout
    assert shown.stderr == "there are more statuses\nwarning: two contexts\n"
    assert shown.exit_code == 0


def test_lists_that_go_on_say_where(event: str, run: Any) -> None:
    for number in ("1", "2"):
        run("emit", "action.completed", "--pipeline", "1", "--action", number, "--id", f"evt_{number}")
        run("replays", "start", "-q", "status:failed hook:none")

    for words in (("deployments", "--limit", "1"), ("replays", "list", "--limit", "1")):
        first = run(*words)
        place = first.stderr.splitlines()[-1].removeprefix("there are more: --before ")
        rest = run(*words, "--before", place)
        assert first.stderr.splitlines()[-1].startswith("there are more: --before ")
        assert "there are more" not in rest.stderr
        assert first.stdout.splitlines()[1] != rest.stdout.splitlines()[1]


def test_many_are_planned_and_sent_again(event: str, run: Any) -> None:
    plan = run("replays", "plan", "-q", "status:failed").stdout
    started = run("replays", "start", "-q", "status:failed", "--wait")
    replay_id = started.stdout.split()[0]

    assert plan.startswith("1 deliveries\n\ndlv_")
    assert "POST http://target.example/41\n" in plan
    assert started.stdout == f"{replay_id}  finished  1 sent again, 0 refused, of 1\n"
    assert "0 of 1 (running)\n" in started.stderr
    assert started.exit_code == 0
    assert run("replays", "show", replay_id).stdout == started.stdout
    assert run("replays", "list").stdout.splitlines()[1].split()[:5] == [replay_id, "finished", "1", "0", "1"]


def test_a_replay_that_has_ended_cannot_be_held(event: str, run: Any) -> None:
    replay_id = run("replays", "start", "-q", "status:failed", "--wait").stdout.split()[0]

    for name in ("pause", "resume", "cancel"):
        refused = run("replays", name, replay_id)
        assert (refused.exit_code, "is finished: it cannot become" in refused.stderr) == (1, True)
    assert run("replays", "start").exit_code == 1


def test_one_that_is_out_of_date_makes_the_answer_no(run: Any, canned: Any) -> None:
    replay = {
        "id": "rpl_1",
        "state": "finished",
        "replayed": 0,
        "refused": 1,
        "total": 1,
        "problems": ["dlv_1: a newer state of the same thing was accepted after it"],
    }
    canned.answers(replay, 202)

    done = run("replays", "start", "--since", "1h", "--wait")

    assert done.exit_code == 1
    assert done.stdout.endswith("  dlv_1: a newer state of the same thing was accepted after it\n")
