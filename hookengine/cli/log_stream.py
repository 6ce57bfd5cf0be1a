"""Lines to a stream that may be read slowly, or not at all."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

PIECE: Final = 4096  # bytes that a pipe takes at once, if it takes any
PATIENCE: Final = 1.0  # seconds that whoever reads may keep the process waiting
EVERY: Final = 60.0  # seconds after which it may again


class PatientHandler(logging.Handler):
    """Who does not read loses lines, and holds nothing up for long: `log.lost` says how many there were.

    A stream that is no file takes every line at once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._file = _file_of(stream)
        self._asked = select.poll()
        if self._file is not None:
            self._asked.register(self._file, select.POLLOUT)
        self._waits_until = self._waits_again = 0.0
        self._torn = False  # the last line was given up in its middle, so far
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.say(lambda: self.format(record))

    def say(self, line: Callable[[], str]) -> None:
        """The line that this makes."""
        self.acquire()
        try:
            if self._lost and self._write(self.format(_lost(self._lost))):
                self._lost = 0
            if not self._write(line()):
                self._lost += 1
        except OSError:
            self._lost += 1  # its disk is full, or it has been closed
        except Exception:  # noqa: BLE001  as every handler does: a line that cannot be made ends nothing
            self.handleError(_record("a line of the log cannot be made"))
        finally:
            self.release()

    def _write(self, line: str) -> bool:
        """Whether all of it was written."""
        if self._file is None:
            self._stream.write(line + "\n")
            self._stream.flush()
            return True
        data = ("\n" * self._torn + line + "\n").encode(errors="backslashreplace")
        while data:
            if not self._takes_some():
                return False
            data = data[os.write(self._file, data[:PIECE]) :]
            self._torn = bool(data)
        return True

    def _takes_some(self) -> bool:
        if self._asked.poll(0):
            return True
        now = monotonic()
        if now >= self._waits_again:
            self._waits_until, self._waits_again = now + PATIENCE, now + EVERY
        return bool(self._asked.poll(max(self._waits_until - now, 0) * 1000))


def _lost(count: int) -> logging.LogRecord:
    record = _record("log.lost")
    record.facts = {"lines": count}
    return record


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("hookengine", logging.WARNING, "", 0, text, None, None)


def _file_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:
        return None
