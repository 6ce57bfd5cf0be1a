"""One node: `hookengine serve`, run again and again, with its log read as it comes."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.faults.history import Pause
from tests.faults.stage.hatchery import Hatchery, Process
from tests.faults.stage.news import PATIENCE, News

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a node is to be. `environ` sets settings, such as HOOKENGINE_DELIVERY__PER_HOST, `haste` constants
    of the engine: see `hatchery.Hatchery.hatch`."""

    role: str = "all"
    failpoints: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    haste: Mapping[str, Any] = field(default_factory=dict)


class Run:
    """One process of a node, from its start until it has `ended` and its log is read. Once it is `deaf`, nobody
    takes the log any more from the next line on, and nobody notices its end but who waits for it."""

    def __init__(self, process: Process, output: TextIO, log: Path, news: News) -> None:
        self.process = process
        self.lines: list[Line] = []  # of the log
        self.deaf = False
        self.ended = False
        self._news = news
        self._log = log
        self._reader = threading.Thread(target=self._read, args=(output,), name=f"log of {process.pid}")
        self._reader.start()

    def wait(self) -> int:
        """The exit code, once everything it wrote has been read. Raises TimeoutError."""
        code = self.process.wait()
        self._reader.join(PATIENCE)
        return code

    def _read(self, output: TextIO) -> None:
        with output, self._log.open("a", encoding="utf-8") as log:
            for text in output:
                log.write(text)
                log.flush()
                if text.startswith("{"):
                    self.lines.append({**json.loads(text), "heard_at": _now()})
                self._news.tell()
                if self.deaf:
                    return
        with suppress(TimeoutError):
            self.process.wait()
        self.ended = True
        self._news.tell()


class Node:
    """`pauses` are when it stood still or had been killed, with the process's id as node."""

    def __init__(self, name: str, folder: Path, hatchery: Hatchery, news: News) -> None:
        self.name = name
        self.url = ""
        self.pauses: list[Pause] = []
        self._folder = folder
        self._hatchery = hatchery
        self._news = news
        self._run: Run | None = None
        self._stopped_at: float | None = None

    @property
    def run(self) -> Run:
        assert self._run is not None, f"node {self.name} was never started"
        return self._run

    @property
    def running(self) -> bool:
        return self._run is not None and not self._run.ended

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}.log"

    def start(self, part: Part) -> None:
        """Returns at once; `wait_until_ready`, or for its end."""
        assert not self.running, f"node {self.name} is running"
        environ = {**part.environ, "HOOKENGINE_FAILPOINTS": part.failpoints}
        arguments = ["serve", "--config", "config.yaml", "--role", part.role]
        process, output = self._hatchery.hatch(arguments, self._folder, environ, part.haste)
        self._run, self._stopped_at = Run(process, output, self.log, self._news), None

    def wait_until_ready(self) -> None:
        self.url = self.wait_for("server.listening")["url"]

    def heard(self, message: str, **facts: Any) -> list[Line]:
        """Lines of this run's log with this message and these facts."""
        wanted = {"message": message, **facts}.items()
        return [line for line in list(self.run.lines) if wanted <= line.items()]

    def wait_for(self, message: str, times: int = 1, **facts: Any) -> Line:
        """One that was written before counts too."""

        def there() -> bool:
            return len(self.heard(message, **facts)) >= times

        self.wait_until(lambda: there() or self.run.ended, f"{times} x {message} {facts}")
        assert there(), f"{self.name} ended without {times} x {message} {facts}; see {self.log}"
        return self.heard(message, **facts)[times - 1]

    def wait_until(self, holds: Callable[[], bool], wanted: str, seconds: float = PATIENCE) -> None:
        assert self._news.wait_until(holds, seconds), (
            f"{self.name}: waited in vain for {wanted}; see {self.log}"
        )

    # What is done to it

    def kill(self) -> None:
        """kill -9, also of one that stands still."""
        begins = self._stopped_at or _now()
        self.run.process.send(signal.SIGKILL)
        self.run.wait()
        self._was_still(begins, killed=True)

    def die(self) -> int:
        """Wait for it to end by a fail-point; its exit code."""
        code = self.run.wait()
        reached = self.heard("failpoint.reached")
        self._was_still(reached[-1]["heard_at"] if reached else _now(), killed=True)
        return code

    def stop(self) -> None:
        """SIGSTOP."""
        self._stopped_at = _now()
        self.run.process.send(signal.SIGSTOP)

    def wait_until_stopped(self) -> None:
        """By a fail-point."""
        self._stopped_at = self.wait_for("failpoint.reached", action="stop")["heard_at"]

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._stopped_at is not None, f"node {self.name} does not stand still"
        self._was_still(self._stopped_at, killed=False)
        self._stopped_at = None
        self.run.process.send(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM; wait for its end with `end`."""
        self.run.process.send(signal.SIGTERM)

    def end(self) -> int:
        """The exit code, once it has ended."""
        return self.run.wait()

    def _was_still(self, begins: float, *, killed: bool) -> None:
        pid = str(self.run.process.pid)
        self.pauses.append(Pause(node=pid, begins=begins, ends=_now(), killed=killed))


def _now() -> float:
    """Milliseconds since the epoch."""
    return time.time_ns() / 1e6
