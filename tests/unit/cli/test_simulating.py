"""`hookengine simulate`: stand-ins of hosts for one's own trials."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hookengine.simulators import SIMULATORS

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


@pytest.fixture
def simulated() -> Iterator[subprocess.Popen[str]]:
    names = ["github", "webhook"]
    command = [sys.executable, "-m", "hookengine", "simulate", *names, "--port", "0", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    return "".join(lines)


def test_hosts_answer_where_it_says_and_know_the_token_it_says(simulated: subprocess.Popen[str]) -> None:
    said = told(simulated)
    (url,) = re.findall(r"^GitHub: (\S+)$", said, re.MULTILINE)
    (token,) = re.findall(r"^  token +(sample\S+)$", said, re.MULTILINE)
    (command,) = re.findall(rf"^  shown +curl ({url}\S+)$", said, re.MULTILINE)
    headers = {"Authorization": f"Bearer {token}"}

    answer = httpx.post(
        f"{url}/repos/a/b/statuses/{SHA}", json={"state": "success"}, headers=headers, trust_env=False
    )

    assert answer.status_code == 201
    assert [entry["state"] for entry in httpx.get(command, trust_env=False).json()] == ["success"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(simulated: subprocess.Popen[str], number: int) -> None:
    told(simulated)

    simulated.send_signal(number)
    _, errors = simulated.communicate(timeout=60)

    assert (simulated.returncode, errors) == (0, "")


def test_a_port_that_is_taken_is_told(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("simulate", "github", "--port", str(taken.getsockname()[1]))

    assert result.exit_code == 2
    assert "choose other ports with --port" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("github", "--port", "0", "--port", "0"), "2 ports for 1 hosts"),
        (("github", "github"), "each host is named once"),
        (("githup",), "is not one of"),
        ((), "Missing argument"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], message: str, run: Any) -> None:
    result = run("simulate", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_the_help_names_every_host(run: Any) -> None:
    shown = run("simulate", "--help").stdout

    assert all(name in shown for name in SIMULATORS)
