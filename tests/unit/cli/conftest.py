"""A configuration, the command line run in this process, and a server run in another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from hookengine.cli.client import Answer
from hookengine.cli.main import main
from hookengine.cli.server import Server

if TYPE_CHECKING:
    from tests.faults.stage import Hatchery

PATIENCE = 60.0  # seconds after which a server that says nothing is killed, so that no test hangs

INCOMING = "0a1b2c3d-incoming"
CONFIG = f"""
server: {{port: 0}}
auth: {{tokens: {{main: {{file: ./token}}}}}}
secrets: {{insecure_plaintext: true, github: {{env: NOT_SET_ANYWHERE, hosts: [target.example]}}}}
database: sqlite:///./test.db
pipelines:
  - id: 1
    name: shop-deploy
    incoming_hooks:
      - id: {INCOMING}
        name: pull requests
        variables:
          - {{name: commit_hash, path: head.sha, required: true}}
          - {{name: branch, path: head.ref}}
        trigger_when:
          conditions:
            - {{type: request_body, path: action, accepted_values: [opened]}}
    hooks:
      - name: tell
        target_url: "http://target.example/{{{{ action.id }}}}"
        settings:
          request_headers:
            - {{name: Authorization, value: "Bearer {{{{ secrets.github }}}}"}}
          request_body:
            id: "{{{{ action.id }}}}"
            branch: "{{{{ action.triggered_from.hook_parsed_variables.branch }}}}"
        trigger_when:
          events: [action.started]
          conditions:
            - {{path: action.triggered_from.hook_parsed_variables.branch, accepted_values: [main]}}
      - name: tell
        target_url: "http://target.example/failed"
        settings:
          request_body: {{reason: "{{{{ action.error }}}}"}}
        trigger_when: {{events: [action.failed]}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test, with nothing said by the environment."""
    for name in [name for name in os.environ if name.startswith("HOOKENGINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config(folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    (folder / "token").write_text("hke_test\n", encoding="ascii")
    return file


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def run_it(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="hookengine", **options)

    return run_it


class Canned:
    """A server that answers what it is told to, the last answer again and again; `asked` is what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._answers: list[Answer] = []

    def answers(self, document: Any, status: int = 200) -> None:
        self._answers.append(Answer(status, json.dumps(document).encode()))

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        self.asked.append((method, path, None if body is None else json.loads(body)))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def canned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Canned:
    there = Canned()
    monkeypatch.setenv("HOOKENGINE_SERVER", "http://canned.example")
    monkeypatch.setattr(Server, "ask", lambda server, *asked: there.ask(*asked))
    return there


class Serving:
    """`hookengine serve` in a process of its own, from its first import."""

    def __init__(self, config: Path, *arguments: str, patience: float = PATIENCE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hookengine", "serve", "--config", str(config), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._guard = threading.Timer(patience, self.process.kill)
        self._guard.start()
        self.greeting = self._line(self.process.stdout)
        self.url = next(word for word in self.greeting.split() if word.startswith("http"))

    def _line(self, stream: Any) -> str:
        line = stream.readline()
        if not line:
            raise AssertionError(f"serve has ended: {self.process.communicate()}")
        return str(line).rstrip("\n")

    def said(self) -> str:
        """The next line of stdout."""
        return self._line(self.process.stdout)

    def logged(self, message: str) -> dict[str, Any]:
        """The next line of the log with this message."""
        while True:
            line = json.loads(self._line(self.process.stderr))
            if line["message"] == message:
                return dict(line)

    def stop(self, signal: int) -> tuple[int, str]:
        """Its exit code, and what of the log was not read yet."""
        self.process.send_signal(signal)
        _, rest = self.process.communicate()
        return self.process.returncode, rest

    def close(self) -> None:
        self._guard.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def serving() -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def serve(config: Path, *arguments: str) -> Serving:
        started.append(Serving(config, *arguments))
        return started[-1]

    yield serve
    for server in started:
        server.close()


class Hatched:
    """`hookengine serve` at the cost of a fork, for tests of what is asked of it."""

    def __init__(self, hatchery: Hatchery, config: Path) -> None:
        self._process, self._output = hatchery.hatch(
            ["serve", "--config", str(config)], config.parent, dict(os.environ), {}
        )
        self._guard = threading.Timer(PATIENCE, self._process.send, [signal.SIGKILL])
        self._guard.start()
        self.url = self.logged("server.listening")["url"]

    def logged(self, message: str) -> dict[str, Any]:
        """The next line of the log with this message."""
        said = []
        for line in self._output:
            said.append(line)
            if line.startswith("{") and (told := json.loads(line))["message"] == message:
                return dict(told)
        raise AssertionError(f"serve has ended: {said}")

    def stop(self, number: signal.Signals) -> int:
        """Its exit code."""
        self._process.send(number)
        return self._process.wait()

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        self._guard.cancel()
        self._output.close()


@pytest.fixture
def server(config: Path, hatchery: Hatchery, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hatched]:
    """Runs with `config`; the command line knows where, and as whom."""
    started = Hatched(hatchery, config)
    monkeypatch.setenv("HOOKENGINE_SERVER", started.url)
    monkeypatch.setenv("HOOKENGINE_TOKEN", "hke_test")
    yield started
    started.close()
