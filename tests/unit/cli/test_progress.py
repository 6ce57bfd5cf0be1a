"""Progress on a terminal and off it, and waiting for deliveries."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, redirect_stderr
from typing import Any

import pytest

from hookengine.cli.client import Client
from hookengine.cli.failing import AnswerIsNo
from hookengine.cli.progress import busy, progress
from hookengine.cli.server import Server
from hookengine.cli.waiting import wait_for

COLOUR = "\x1b[32m"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def on_a_terminal() -> AbstractContextManager[Terminal]:
    """What somebody sees there."""
    return redirect_stderr(Terminal())


def test_off_a_terminal_each_tenth_is_a_line(clock: Clock, capsys: Any) -> None:
    with progress(40, clock) as tell:
        for done in range(13):
            tell(done, "running")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [f"{done} of 40 (running)" for done in (0, 4, 8, 12)]


def test_off_a_terminal_there_is_a_line_every_few_seconds_and_for_each_new_word(
    clock: Clock, capsys: Any
) -> None:
    with progress(1000, clock) as tell:
        for done in range(12):
            tell(done, "running")
            clock.sleep(1)
        tell(12, "paused")

    assert capsys.readouterr().err.splitlines() == [
        "0 of 1000 (running)",
        "5 of 1000 (running)",
        "10 of 1000 (running)",
        "12 of 1000 (paused)",
    ]


def test_of_nothing_all_is_done(clock: Clock, capsys: Any) -> None:
    with progress(0, clock) as tell:
        tell(0, "finished")

    assert capsys.readouterr().err == "0 of 0 (finished)\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    with on_a_terminal() as terminal, progress(40) as tell:
        tell(12, "running")

    assert "12/40" in terminal.getvalue()
    assert "━" in terminal.getvalue()
    assert COLOUR in terminal.getvalue()


def test_no_color_takes_the_colours_of_the_bar_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    with on_a_terminal() as terminal, progress(40) as tell:
        tell(12, "running")

    assert "12/40" in terminal.getvalue()
    assert COLOUR not in terminal.getvalue()


def test_off_a_terminal_being_busy_says_nothing(capsys: Any) -> None:
    with busy("applying 3 files"):
        pass

    assert capsys.readouterr().err == ""


def test_on_a_terminal_being_busy_is_shown() -> None:
    with on_a_terminal() as terminal, busy("applying 3 files"):
        pass

    assert "applying 3 files" in terminal.getvalue()


def delivery(status: str, because: str | None = None) -> dict[str, Any]:
    return {"status": status, "because": because}


def test_waiting_ends_when_all_have_ended(canned: Any, clock: Clock, capsys: Any) -> None:
    for status in ("sending", "delivered", "retrying", "superseded"):
        canned.answers(delivery(status))

    wait_for(Client(Server("http://canned.example")), ["dlv_1", "dlv_2"], 60, clock, clock.sleep)

    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("dlv_")] == ["dlv_2 is delivered", "dlv_1 is superseded"]
    assert told[-1] == "2 of 2 (ended)"


def test_what_failed_makes_the_answer_no(canned: Any, clock: Clock, capsys: Any) -> None:
    canned.answers(delivery("failed", "404\x1b[2J"))

    with pytest.raises(AnswerIsNo, match="1 of 1 were not delivered"):
        wait_for(Client(Server("http://canned.example")), ["dlv_1"], 60, clock, clock.sleep)

    assert "dlv_1 is failed: 404\N{REPLACEMENT CHARACTER}[2J" in capsys.readouterr().err


def test_waiting_lasts_as_long_as_was_said(canned: Any, clock: Clock) -> None:
    canned.answers(delivery("retrying"))

    with pytest.raises(AnswerIsNo, match="1 of 1 still wait"):
        wait_for(Client(Server("http://canned.example")), ["dlv_1"], 7, clock, clock.sleep)

    assert 7 <= clock.now < 8


def test_an_event_is_emitted_and_waited_for(canned: Any, run: Any) -> None:
    hook = {"name": "tell", "delivery": "dlv_1"}
    event = {
        "id": "e",
        "type": "t.t",
        "action": {"id": 1, "pipeline": {"id": 1, "name": "p"}},
        "hooks": [hook],
    }
    canned.answers(event, 202)
    canned.answers(delivery("failed"))

    done = run("emit", "action.failed", "--pipeline", "1", "--action", "1", "--wait", "60")

    assert done.exit_code == 1
    assert "accepted t.t of action 1 on p" in done.stdout
    assert done.stderr.splitlines()[-1] == "1 of 1 were not delivered"
