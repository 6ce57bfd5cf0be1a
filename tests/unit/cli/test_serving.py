"""`hookengine serve`: starting, telling, stopping."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.conftest import Serving

STARTED = {
    "type": "action.started",
    "action": {
        "id": 41,
        "pipeline": 1,
        "triggered_from": {"hook_parsed_variables": {"branch": "main"}},
    },
}
AUTHORISED = {"authorization": "Bearer hke_test"}


@pytest.fixture
def server(config: Path, serving: Callable[..., Serving]) -> Serving:
    return serving(config)


def test_it_says_where_it_listens_and_where_incoming_hooks_are(server: Any) -> None:
    assert server.greeting.endswith(f"listens on {server.url}")
    assert (
        server.said() == f"  incoming hook 'pull requests': POST {server.url}/hooks/0a1b2c3d-incoming/trigger"
    )
    assert httpx.get(f"{server.url}/healthz", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: int, server: Any) -> None:
    code, log = server.stop(number)

    assert code == 0
    assert "worker.stopped" in log
    assert "Traceback" not in log


def test_each_step_is_one_line_of_the_log(server: Any) -> None:
    accepted = httpx.post(
        f"{server.url}/api/events", json=STARTED, headers=AUTHORISED, trust_env=False
    ).json()
    (hook,) = accepted["hooks"]

    event = server.logged("event.accepted")
    attempt = server.logged("attempt.finished")
    ending = server.logged("delivery.ended")

    assert (event["event"], event["matched"]) == (accepted["id"], 1)
    assert (attempt["delivery"], attempt["host"], attempt["verdict"]) == (
        hook["delivery"],
        "target.example",
        "give_up",
    )
    assert "request" not in attempt
    assert (ending["delivery"], ending["status"], ending["level"]) == (hook["delivery"], "failed", "warning")


def test_in_the_role_api_it_accepts_and_does_not_deliver(config: Path, serving: Any) -> None:
    server = serving(config, "--role", "api")
    accepted = httpx.post(f"{server.url}/api/events", json=STARTED, headers=AUTHORISED, trust_env=False)

    code, log = server.stop(signal.SIGTERM)

    assert server.greeting.endswith("and delivers nothing")
    assert accepted.status_code == 202
    assert code == 0
    assert "attempt." not in log


def test_every_mistake_of_the_configuration_is_a_line_of_stderr(config: Path, run: Any) -> None:
    config.write_text("servr: {port: 1}\npipelines:\n  - {id: 0, name: x}\n", encoding="utf-8")

    result = run("serve")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [
        "config.yaml:1:1",
        "config.yaml:3:10",
        "config.yaml:3:19",
    ]


def test_a_second_one_on_the_same_database_is_refused(config: Path, server: Any) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "hookengine", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 3
    assert f"is in use by process {server.process.pid}" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_without_any_token_it_says_that_nobody_can_come_in(config: Path, serving: Any) -> None:
    config.write_text("server: {port: 0}\nsecrets: {insecure_plaintext: true}\n", encoding="utf-8")

    _, log = serving(config).stop(signal.SIGTERM)

    assert log.splitlines()[0].startswith("there is no token under auth.tokens")
