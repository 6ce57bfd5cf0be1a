"""Completion of ids and names."""

from __future__ import annotations

from typing import Any

import pytest
from click.shell_completion import ShellComplete

from hookengine.cli.client import Answer
from hookengine.cli.failing import Unreachable
from hookengine.cli.main import main
from hookengine.cli.server import Server


def offered(words: list[str], begun: str) -> list[str]:
    completion = ShellComplete(main, {}, "hookengine", "_HOOKENGINE_COMPLETE")
    return [item.value for item in completion.get_completions(words, begun)]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["hooks", "pause"], "/api/hooks?limit=500"),
        (["hooks", "edit"], "/api/hooks?limit=500"),
        (["test"], "/api/hooks?limit=500"),
        (["pipelines", "show"], "/api/pipelines?limit=500"),
        (["emit", "action.started", "--pipeline"], "/api/pipelines?limit=500"),
        (["deliveries", "show"], "/api/deliveries?limit=50"),
        (["replays", "cancel"], "/api/replays?limit=50"),
        (["events", "explain"], "/api/events?limit=50"),
        (["actions", "show"], "/api/actions?limit=50"),
    ],
)
def test_what_the_server_has_is_offered(words: list[str], path: str, canned: Any) -> None:
    canned.answers({"items": [{"id": "abc", "name": "abroad"}, {"id": "xyz", "name": "abroad"}]})

    assert [value for value in offered(words, "ab") if value != "abroad"] == ["abc"]
    assert canned.asked == [("GET", path, None)]


def test_names_are_offered_once_and_before_ids(canned: Any) -> None:
    canned.answers({"items": [{"id": "1", "name": "tell"}, {"id": "2", "name": "tell"}]})

    assert offered(["hooks", "show"], "") == ["tell", "1", "2"]


@pytest.mark.usefixtures("folder")
def test_without_a_server_nothing_is_offered() -> None:
    assert offered(["hooks", "show"], "") == []


def test_a_server_that_does_not_answer_offers_nothing(canned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(server: Server, *asked: Any) -> Answer:
        raise Unreachable("gone")

    monkeypatch.setattr(Server, "ask", gone)

    assert offered(["hooks", "show"], "") == []
