"""The three commands of the guide that people follow, as they are printed there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.configs import API_TOKEN, a_config, write_config
from tests.acceptance.server import Server

GUIDE = Path(__file__).parent.parent / "cases" / "guides" / "outgoing-webhooks.md"
COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guide")
    write_config(
        folder, a_config(auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}})
    )
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    yield server
    server.close()


def commands() -> list[str]:
    """Every cURL of the guide, without the indentation of the list it stands in."""
    found = re.findall(r"^ *```bash\n(.*?)^ *```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"^   ", "", command, flags=re.MULTILINE) for command in found]


def filled(command: str, engine: Server, state: str = "pending") -> str:
    """The host and the blanks, as the guide tells to replace them."""
    blanks = {
        "https://api.devopness.com": engine.url,
        "<pipeline_id>": "1",
        "<access_token>": API_TOKEN,
        "<target_url>": "api.github.com/repos/acme/shop/statuses",
        "<source_provider_pipeline_status>": json.dumps(state),
    }
    for blank, value in blanks.items():
        command = command.replace(blank, value)
    return command


def run(command: str) -> tuple[int, Any]:
    """What curl is answered; nothing in the command is changed but that it also tells the status."""
    told = subprocess.run(
        ["bash", "-c", command.rstrip() + r" --silent --noproxy '*' --write-out '\n%{http_code}'"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    body, _, status = told.stdout.rpartition("\n")
    return int(status), json.loads(body)


CREATING: Sequence[tuple[int, str, str]] = (
    (0, "action.started", "pending"),
    (1, "action.failed", "failure"),
    (2, "action.completed", "success"),
)


@pytest.mark.parametrize(("number", "event", "state"), CREATING)
def test_a_command_works_as_printed_once_its_blanks_are_filled_and_its_comments_are_gone(
    engine: Server, number: int, event: str, state: str
) -> None:
    command = COMMENT.sub("", filled(commands()[number], engine, state))

    status, hook = run(command)

    body = hook["settings"]["request_body"]
    assert status == 201, hook
    assert (hook["name"], hook["type"], hook["action_type"]) == ("CI(build)", "out", "deploy")
    assert hook["target_url"] == (
        "https://api.github.com/repos/acme/shop/statuses/"
        "{{ action.triggered_from.hook_parsed_variables.commit_hash }}"
    )
    assert hook["trigger_when"]["events"] == [event]
    assert (body["state"], body["context"], body["key"]) == (
        state,
        "ci/devopness(build)",
        "ci/devopness(build)",
    )
    assert hook["settings"]["request_headers"] == [
        {"name": "Authorization", "value": "Bearer {{ application.source_provider.access_token }}"}
    ]


@pytest.mark.parametrize(("number", "event", "state"), CREATING)
def test_comments_that_were_left_in_are_named_with_their_lines(
    engine: Server, number: int, event: str, state: str
) -> None:
    command = filled(commands()[number], engine, state)
    data = command[command.index("--data '") + len("--data '") :]
    lines = [line for line, text in enumerate(data.splitlines(), 1) if text.strip().startswith("//")]

    status, answer = run(command)

    told = answer["errors"]["body"]
    assert status == 422
    assert len(lines) == 2
    assert [message.partition(":")[0] for message in told] == [f"Line {line}" for line in lines]
    assert all("JSON has no comments" in message for message in told)


def test_a_blank_that_was_left_in_is_named_with_its_line(engine: Server) -> None:
    blank = "<source_provider_pipeline_status>"
    whole = COMMENT.sub("", commands()[0].replace(blank, "BLANK"))
    command = filled(whole, engine).replace("BLANK", blank)

    status, answer = run(command)

    (told,) = answer["errors"]["body"]
    assert status == 422
    assert told.startswith("Line 13: `<source_provider_pipeline_status>` is still to be replaced")


def test_the_list_of_the_guide_shows_the_hooks_that_were_made(engine: Server) -> None:
    status, created = run(COMMENT.sub("", filled(commands()[0], engine)))

    listed = run(filled(commands()[3], engine))

    assert status == 201
    assert listed[0] == 200
    assert created["id"] in [hook["id"] for hook in listed[1]]


def test_a_placeholder_for_a_token_is_kept_as_it_was_written_also_after_a_token_came(engine: Server) -> None:
    _, created = run(COMMENT.sub("", filled(commands()[0], engine)))
    engine.accept(
        {
            "type": "action.queued",
            "action": {"id": 5, "pipeline": 1},
            "application": {"source_provider": {"name": "github", "access_token": "ghp-the-real-one"}},
        }
    )

    shown = engine.get(f"/hooks/outgoing/{created['id']}").text + engine.get("/pipelines/1/hooks").text

    assert "{{ application.source_provider.access_token }}" in shown
    assert "ghp-the-real-one" not in shown
