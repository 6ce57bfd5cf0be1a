"""Whoever reads the log slowly, or not at all, holds nothing up."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator

import pytest

from hookengine.cli import log_stream
from hookengine.cli.log_stream import EVERY, PIECE, PatientHandler
from tests.conftest import Clock

PIECES = 8
LINE = "x" * 100


class Log:
    """A pipe that takes a few pieces, and a logger that writes into it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIECES * PIECE)
        os.set_blocking(self.reading, False)
        self.stream = os.fdopen(writing, "w")
        self.handler = PatientHandler(self.stream)
        self.handler.setFormatter(logging.Formatter("%(message)s %(facts)s", defaults={"facts": ""}))

    def say(self, text: str = LINE, times: int = 1) -> None:
        for _ in range(times):
            self.handler.handle(logging.LogRecord("hookengine", logging.INFO, "", 0, text, None, None))

    def hear(self) -> list[str]:
        """The lines that are there."""
        return os.read(self.reading, 1 << 20).decode().splitlines()

    def close(self) -> None:
        os.close(self.reading)
        self.stream.close()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    monkeypatch.setattr(log_stream, "PATIENCE", 0.01)
    log = Log()
    yield log
    log.close()


def test_lines_come_as_they_were_said(log: Log) -> None:
    log.say("one")
    log.say("zwei \u00e4\n  and its second line")

    assert log.hear() == ["one ", "zwei \u00e4", "  and its second line "]


def test_what_nobody_reads_is_lost_and_counted(log: Log) -> None:
    log.say(times=1000)
    there = log.hear()
    log.say("after")

    assert 6 * PIECE < len(there) * len(f"{LINE} \n") < PIECES * PIECE
    assert {*there} == {f"{LINE} "}
    assert log.hear() == [f"log.lost {{'lines': {1000 - len(there)}}}", "after "]


def test_a_line_that_was_torn_ends_before_the_next_begins(log: Log) -> None:
    log.say("y" * 2 * PIECES * PIECE)
    (torn,) = log.hear()
    log.say("after")

    assert torn == "y" * PIECES * PIECE
    assert log.hear() == ["", "log.lost {'lines': 1}", "after "]


def test_a_long_line_comes_whole_while_somebody_reads(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = b""
    write = os.write

    def write_and_read(file: int, data: bytes) -> int:
        nonlocal heard
        written = write(file, data)
        heard += os.read(log.reading, 1 << 20)
        return written

    monkeypatch.setattr(os, "write", write_and_read)
    log.say("y" * 2 * PIECES * PIECE)

    assert heard.decode() == "y" * 2 * PIECES * PIECE + " \n"


def test_it_waits_for_whoever_reads_once_in_a_while(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class Poll:
        def poll(self, milliseconds: float) -> list[object]:
            waits.append(milliseconds)
            clock.advance(millis=round(milliseconds))
            return []

    monkeypatch.setattr(log.handler, "_asked", Poll())
    monkeypatch.setattr("hookengine.cli.log_stream.monotonic", clock.ticks)
    log.say(times=3)
    clock.advance(seconds=EVERY)
    log.say(times=3)

    assert [round(wait) for wait in waits if wait] == [10, 10]


def test_a_reader_that_has_gone_ends_nothing(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), log.reading)

    log.say(times=10)

    assert capsys.readouterr().err == ""


def test_a_line_that_cannot_be_made_ends_nothing(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise ValueError("no line")

    log.handler.say(broken)
    log.handler.say(lambda: "after")

    assert log.hear() == ["after"]
    assert "ValueError: no line" in capsys.readouterr().err
