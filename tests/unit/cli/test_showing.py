"""How things look."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from hookengine.cli import showing

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (None, ""),
        ("2026-11-22T10:00:00Z", "0s ago"),
        ("2026-11-22T09:59:15Z", "45s ago"),
        ("2026-11-22T10:04:10Z", "in 4m"),
        ("2026-11-22T07:00:00Z", "3h ago"),
        ("2026-11-12T07:00:00Z", "10d ago"),
    ],
)
def test_times_are_told_from_now(moment: str | None, said: str) -> None:
    assert showing.relative(moment, NOW) == said


def test_nothing_that_is_shown_steers_the_terminal() -> None:
    assert showing.plain("a\x1b[31mb\r\x07\u202ec\nd é") == "a�[31mb���c\nd é"


@pytest.mark.parametrize(
    ("body", "lines"),
    [('{"a":[1,"ü"]}', 6), ("plain {text}", 1), ('"json text"', 1), ("", 1)],
)
def test_json_is_set_out_and_other_text_left_alone(body: str, lines: int) -> None:
    assert showing.set_out(body).count("\n") + 1 == lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [70, 80, 100, 120, 200])
def test_a_table_fits_the_terminal_and_never_cuts_what_one_copies(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    row = [
        "dlv_01a20112d691721480044d657be6aa30",
        "retrying",
        "action.started",
        "commit status",
        "because " * 20,
    ]

    showing.table(["ID", "STATUS", "EVENT", "HOOK", "BECAUSE"], [row])

    heading, line = terminal.getvalue().replace("\x1b[0m", "").replace("\x1b[2m", "").splitlines()
    assert line.startswith(f"{row[0]}  retrying  ")
    assert len(line) <= columns
    assert ("BECAUSE" in heading) == (columns >= 100)


def test_a_column_that_says_nothing_is_left_out(capsys: Any) -> None:
    showing.table(
        ["ID", "STATUS", "NEXT TRY", "BECAUSE"], [["1", "failed", "", ""], ["2", "failed", "", "x"]]
    )

    assert capsys.readouterr().out == "ID  STATUS  BECAUSE\n1   failed\n2   failed  x\n"
