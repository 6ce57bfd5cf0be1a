"""Nodes in processes of their own, at the cost of a fork: see `hatching` for the program that forks them."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TextIO

PATIENCE = 60.0  # seconds
_FIRST = 120.0  # until the engine is imported, however busy the machine


class Process:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = threading.Event()
        self._code = 0

    def send(self, number: signal.Signals) -> None:
        """Nothing if it has ended."""
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, code: int) -> None:
        self._code = code
        self._ended.set()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code; that of a signal is negative. Raises TimeoutError."""
        if not self._ended.wait(seconds):
            raise TimeoutError(f"process {self.pid} has not ended after {seconds} s")
        return self._code


class Hatchery:
    """A context manager, for many tests: only the first node is waited for. All nodes end with it."""

    def __init__(self) -> None:
        self._processes: dict[int, Process] = {}
        self._hatched: queue.SimpleQueue[Process | None] = queue.SimpleQueue()
        self._hatching = threading.Lock()
        self._patience = _FIRST

    def __enter__(self) -> Self:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.stage.hatching", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupted test ends it by closing the channel
            )
        self._reader = threading.Thread(target=self._read, name="hatchery")
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.shutdown(socket.SHUT_WR)
        self._program.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._channel.close()

    def hatch(
        self,
        arguments: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        haste: Mapping[str, Any],
    ) -> tuple[Process, TextIO]:
        """`hookengine ARGUMENTS` in this folder, and what it writes to stdout and stderr, which ends when the
        process does. `haste` sets what is constant in the engine, such as `{"hookengine.app.engine:GRACE": 2.0}`.
        """
        reading, writing = os.pipe()
        order = {"arguments": arguments, "folder": str(folder), "environ": environ, "haste": haste}
        with self._hatching:
            socket.send_fds(self._channel, [json.dumps(order).encode() + b"\n"], [writing])
            os.close(writing)
            process = self._hatched.get(timeout=self._patience)
            self._patience = PATIENCE
        if process is None:
            raise RuntimeError("the hatchery has ended; it said why on stderr")
        return process, os.fdopen(reading, encoding="utf-8", errors="replace")

    def _read(self) -> None:
        with suppress(ConnectionError), self._channel.makefile(encoding="utf-8") as told:
            for line in told:
                words = json.loads(line)
                self._hear(words["node"], words.get("code"))
        self._hatched.put(None)

    def _hear(self, pid: int, code: int | None) -> None:
        if code is None:
            process = self._processes[pid] = Process(pid)
            self._hatched.put(process)
        else:
            self._processes.pop(pid).end(code)
