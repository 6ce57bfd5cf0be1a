"""`hookengine deliveries` against a running server."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from hookengine.cli.deliveries import FIELDS, STATUSES
from hookengine.cli.one_delivery import KINDS, VERDICTS
from hookengine.domain.attempt import Outcome, VerdictWord
from hookengine.domain.delivery import DeliveryStatus

HEAD = "action.triggered_from.hook_parsed_variables"


@pytest.fixture
def delivery(server: Any, run: Any) -> str:
    """The id of one that has failed: the fence does not let it out."""
    done = run(
        "emit",
        "action.started",
        "--pipeline",
        "1",
        "--action",
        "41",
        "--set",
        f"{HEAD}.branch=main",
        "-o",
        "json",
    )
    server.logged("delivery.ended")
    return str(json.loads(done.stdout)["hooks"][0]["delivery"])


def test_the_list_has_a_line_per_delivery_whole_where_no_terminal_cuts_it(delivery: str, run: Any) -> None:
    heading, line = run("deliveries", "list").stdout.splitlines()

    assert heading.split()[:4] == ["ID", "STATUS", "EVENT", "HOOK"]
    assert "NEXT TRY" not in heading
    assert line.split()[:5] == [delivery, "failed", "action.started", "tell", "1"]
    assert "blocked: " in line


def test_the_list_can_be_narrowed(delivery: str, run: Any) -> None:
    nothing = run("deliveries", "list", "--status", "delivered")

    assert run("deliveries", "list", "--status", "failed", "-o", "json").stdout.count(delivery) == 1
    assert (nothing.stdout, nothing.stderr, nothing.exit_code) == ("", "no deliveries\n", 0)
    assert run("deliveries", "list", "--status", "lost").exit_code == 2


def test_the_list_goes_on_where_it_ended(delivery: str, run: Any) -> None:
    run("emit", "action.failed", "--pipeline", "1", "--action", "42")

    first = run("deliveries", "list", "--limit", "1")
    newest = first.stdout.splitlines()[1].split()[0]

    assert first.stderr == f"there are more: --before {newest}\n"
    assert run("deliveries", "list", "--before", newest).stdout.splitlines()[1].split()[0] == delivery


def test_one_delivery_shows_its_request_and_every_attempt(delivery: str, run: Any) -> None:
    shown = run("deliveries", "show", delivery).stdout

    assert shown.startswith(f"{delivery}  failed\n")
    assert "\nPOST http://target.example/41\nAuthorization: Bearer <secrets.github>\n" in shown
    body = shown[shown.index("\n{") : shown.index("\n}") + 2]
    assert json.loads(body) == {"id": 41, "branch": "main"}
    assert "\nattempt 1  blocked: " in shown
    assert "\n  verdict  give up\n" in shown


def test_one_delivery_in_json_is_what_the_server_said(delivery: str, run: Any) -> None:
    shown = json.loads(run("deliveries", "show", delivery, "-o", "json").stdout)

    assert (shown["id"], shown["attempts"][0]["outcome"]) == (delivery, "blocked")


def test_a_delivery_that_does_not_exist_is_a_no(server: Any, run: Any) -> None:
    result = run("deliveries", "show", "dlv_nothing")

    assert (result.exit_code, result.stderr) == (1, "no delivery 'dlv_nothing'\n")


@pytest.mark.parametrize(
    ("outcome", "detail", "said"),
    [
        ("answered", {"status": 503, "headers": {}, "body": "try\x1b[2J\nlater", "elapsed": 3}, "503"),
        ("timed_out", {"phase": "read", "seconds": 30.0, "written": True}, "timed out after 30.0 s (read)"),
        ("unknown", {"reason": "the node went away"}, "unknown: the node went away"),
    ],
)
def test_every_outcome_is_told_in_words_and_steers_no_terminal(
    outcome: str, detail: dict[str, Any], said: str, run: Any, canned: Any
) -> None:
    canned.answers(_document(outcome, detail))

    shown = run("deliveries", "show", "dlv_1").stdout

    assert f"attempt 1  {said}  after 250 ms\n" in shown
    assert "  verdict   try again: because it may help\n" in shown
    assert "its hook, which is paused" in shown
    assert "\x1b" not in shown


def test_an_attempt_under_way_is_told_as_such(run: Any, canned: Any) -> None:
    document = _document(None, None)
    document["attempts"][0].update(finished_at=None, verdict=None, because=None, next_attempt_at=None)
    canned.answers(document)

    assert "attempt 1  is under way since " in run("deliveries", "show", "dlv_1").stdout


def test_all_outcomes_and_verdicts_of_the_engine_have_words() -> None:
    assert set(KINDS.values()) == set(Outcome.__args__)
    assert set(VERDICTS) == set(get_args(VerdictWord))


def _document(outcome: str | None, detail: dict[str, Any] | None) -> dict[str, Any]:
    attempt = {
        "number": 1,
        "started_at": "2026-11-22T10:00:00.000Z",
        "finished_at": "2026-11-22T10:00:00.250Z",
        "outcome": outcome,
        "detail": detail,
        "verdict": "try_again",
        "because": "because it may help",
        "next_attempt_at": "2026-11-22T10:00:05.000Z",
        "late_outcome": None,
    }
    return {
        "id": "dlv_1",
        "status": "retrying",
        "because": None,
        "event": {"id": "evt_1", "type": None},
        "hook": {"id": "hook_1", "name": None},
        "lane": None,
        "accepted_at": "2026-11-22T10:00:00.000Z",
        "ended_at": None,
        "waits_for": "its hook, which is paused",
        "next_attempt_at": None,
        "superseded_by": None,
        "repair_of": None,
        "replay_of": None,
        "request": None,
        "attempts": [attempt],
    }


def test_the_list_is_narrowed_by_every_field_and_by_a_query(delivery: str, run: Any) -> None:
    for arguments, found in [
        (("--hook", "tell", "--code", "none"), 1),
        (("--outcome", "blocked", "--pipeline", "shop-deploy"), 1),
        (("--status", "failed", "--status", "delivered", "--since", "1h"), 1),
        (("-q", "status:failed host:target.example"), 1),
        (("-q", "type:action.failed"), 0),
        (("--until", "1h"), 0),
    ]:
        assert (
            run("deliveries", "list", *arguments, "-o", "json").stdout.count(f'"id": "{delivery}"') == found
        )

    refused = run("deliveries", "list", "-q", "stat:failed")
    assert (refused.exit_code, "Did you mean status?" in refused.stderr) == (1, True)


def test_every_status_may_be_asked_for() -> None:
    assert set(STATUSES) == set(DeliveryStatus)


def test_every_field_of_a_search_is_an_option() -> None:
    from hookengine.store.records import FIELDS as ALL

    assert {"status", *FIELDS} == set(ALL)


def test_attempts_are_shown_alone(delivery: str, run: Any) -> None:
    assert run("deliveries", "attempts", delivery).stdout.startswith("attempt 1  blocked: ")
    assert run("deliveries", "attempts", "dlv_none").exit_code == 1


def test_a_delivery_is_sent_again_and_one_that_has_ended_is_not_cancelled(
    delivery: str, run: Any, server: Any
) -> None:
    replayed = run("deliveries", "replay", delivery, "-o", "json")
    cancelled = run("deliveries", "cancel", delivery)

    assert json.loads(replayed.stdout)["replay_of"] == delivery
    assert (cancelled.exit_code, cancelled.stderr) == (1, f"{delivery} has ended: it is failed\n")
    server.logged("delivery.ended")
    again = run("deliveries", "replay", delivery, "--mode", "render").stdout
    assert again.endswith(f" is a replay of {delivery}\n")


def test_without_any_server_and_without_the_right_token_the_exit_code_says_so(server: Any, run: Any) -> None:
    assert run("deliveries", "list", "--token", "wrong").exit_code == 4
    assert run("deliveries", "list", "--server", "http://127.0.0.1:1").exit_code == 3
    assert run("deliveries", "list", "--nonsense").exit_code == 2
