"""`hookengine demo` shows the truth, and says so when it does not."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hookengine.cli.demo import demo, playing, watching
from hookengine.cli.demo.stage import PORTS, examples, set_up
from hookengine.simulators import Bitbucket, GitLab, Received
from hookengine.simulators.records import Reply

COMMAND = [sys.executable, "-W", "error", "-m", "hookengine", "demo"]
SUCCEEDS, FAILS, COMES_LATE = playing.SCENES


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return {**os.environ, "TMPDIR": str(folder)}


def run(*arguments: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(demo, arguments)


def changed(tmp_path: Path, before: str, after: str) -> str:
    text = (examples() / "demo.yaml").read_text(encoding="utf-8")
    assert before in text
    copy = tmp_path / "changed.yaml"
    copy.write_text(text.replace(before, after), encoding="utf-8")
    return str(copy)


def test_every_host_ends_up_showing_the_truth(environ: dict[str, str]) -> None:
    done = subprocess.run(COMMAND, env=environ, capture_output=True, text=True, timeout=150, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    for line in (
        r"action\.started +GitHub +attempt 1 -> 201 +pending +ci/devopness\(build\)",
        r"action\.completed +GitHub +attempt 1 -> 201 +success +ci/devopness\(build\)",
        r"action\.completed +Bitbucket +attempt 1 -> 503 +SUCCESSFUL .* will be tried again",
        r"action\.completed +Bitbucket +attempt 2 -> 201 +SUCCESSFUL",
        r"action\.failed +GitLab +attempt 1 -> 201 +failed +ci/shop\(deploy\)",
        r"action\.started +GitLab +superseded +running .* never sent, late",
        r"6dcb09b +ci/devopness\(build\) +pending -> success +success +success +ok",
        r"6dcb09b +ci/shop\(deploy\) +pending -> running -> success +success +success +ok",
        r"e5bd391 +ci/shop\(deploy\) +INPROGRESS x2 -> FAILED +FAILED +FAILED +ok",
        r"All 18 statuses are true",
    ):
        assert any(re.search(line, told) for told in lines), (line, done.stdout)
    assert "\x1b" not in done.stdout
    assert [*Path(environ["TMPDIR"]).iterdir()] == []


def test_what_is_left_running_can_be_tried_until_ctrl_c(environ: dict[str, str]) -> None:
    with running([*COMMAND, "--keep"], environ) as process:
        assert process.stdout is not None
        told = [""]
        while "/_simulator/shown" not in told[-1] or "Bitbucket" not in told[-2]:
            told.append(process.stdout.readline())
            assert told[-1], "".join(told)
        invited = told[told.index(next(line for line in told if "Ctrl-C" in line)) + 1 :]
        commands = "\n".join(line.strip() for line in invited if not line.strip().startswith("#"))
        tried = subprocess.run(
            ["/bin/sh", "-ec", commands],
            env=environ,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        while "attempt 3 -> 201" not in told[-1]:
            told.append(process.stdout.readline())
            assert told[-1], "".join(told)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)

    assert tried.returncode == 0, tried.stderr
    assert "accepted action.failed of action 1000000006 on shop-deploy" in tried.stdout
    assert (process.returncode, rest[1]) == (130, "stopped\n")
    assert [*Path(environ["TMPDIR"]).iterdir()] == []


@contextmanager
def running(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    if shutil.which("curl") is None:
        pytest.skip("the commands to try need curl")
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_host_that_refuses_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "SCENES", [FAILS])
    monkeypatch.setattr(
        GitLab, "answer", lambda self, received: Reply(status=403, body={"message": "403 Forbidden"})
    )

    done = run()

    assert done.exit_code == 1
    assert "WRONG: GitLab refused 5 requests, 0 were planned" in done.stdout
    assert "WRONG: GitLab shows nothing under ci/shop(deploy) at e5bd391" in done.stdout
    assert re.search(r"e5bd391 +ci/devopness\(build\) +nothing +nothing +failed +WRONG", done.stdout)
    assert re.search(r"e5bd391 +ci/devopness\(build\) +pending -> failure +failure +failure +ok", done.stdout)


def test_a_host_that_shows_a_second_context_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "SCENES", [FAILS])
    right = Bitbucket.answer

    def numbered(self: Bitbucket, received: Received) -> Reply:
        object.__setattr__(received, "content", received.content.replace(b'"ci/shop(', b'"ci/shop-2('))
        return right(self, received)

    monkeypatch.setattr(Bitbucket, "answer", numbered)

    done = run()

    assert done.exit_code == 1
    assert "Bitbucket shows nothing under ci/shop(deploy) at e5bd391" in done.stdout
    assert "under ci/shop-2(deploy) at e5bd391; true is nothing" in done.stdout


def test_a_late_event_that_is_sent_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(playing, "SCENES", [COMES_LATE])
    unordered = changed(tmp_path, "retry: &soon", "lane: none\n        retry: &soon")

    done = run("--config", unordered)

    assert done.exit_code == 1
    assert (
        "GitHub shows success -> pending under ci/devopness(build) at 2c963be; true is success" in done.stdout
    )
    assert (
        "action.started of action 1000000001 for CI(build) on GitHub came late and was sent all the same"
        in done.stdout
    )


def test_a_secret_in_the_database_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(playing, "SCENES", [FAILS])
    unsealed = changed(tmp_path, "key_file: ./hookengine.key", "insecure_plaintext: true")

    done = run("--config", unsealed)

    assert done.exit_code == 1
    assert done.stdout.count("WRONG") == 1
    assert "the value of application.source_provider.access_token stands in the database" in done.stdout


def test_a_delivery_without_an_end_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(playing, "SCENES", [SUCCEEDS])
    monkeypatch.setattr(watching, "PATIENCE", 0.5)
    patient = changed(tmp_path, "waits: [1s]", "waits: [1h]")

    done = run("--config", patient)

    assert done.exit_code == 1
    assert re.search(r"WRONG: after 0.5 s there is no end of dlv_\w+", done.stdout)


def test_a_template_that_cannot_be_rendered_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(playing, "SCENES", [FAILS])
    wrong = changed(
        tmp_path, "projects/acme%2Fshop/statuses/{{ action.triggered_from.", "x/{{ action.nowhere."
    )

    done = run("--config", wrong)

    assert done.exit_code == 1
    assert re.search(r"action\.started +CI\(build\) on GitLab +failed .*never sent, .*nowhere", done.stdout)


def test_a_file_with_nothing_to_play_proves_nothing(tmp_path: Path) -> None:
    empty = changed(tmp_path, "pipelines:", "pipelines: []\n#")
    text = Path(empty).read_text(encoding="utf-8")
    Path(empty).write_text(text[: text.index("#", text.index("pipelines: []"))], encoding="utf-8")

    done = run("--config", empty)

    assert done.exit_code == 1
    assert "WRONG: nothing was played" in done.stdout


@pytest.mark.anyio
async def test_ports_that_are_taken_are_changed_in_the_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as of_others:
        taken = of_others.getsockname()[1]
        config = changed(tmp_path, f"127.0.0.1:{PORTS['GitLab']}", f"127.0.0.1:{taken}")
        monkeypatch.setitem(PORTS, "GitLab", taken)
        async with set_up(Path(config)) as stage:
            urls = {host.name: url for url, host in stage.hosts.items()}
            text = stage.config.read_text(encoding="utf-8")

    assert f"127.0.0.1:{taken}" not in text
    assert f"base_url: {urls['GitLab']}/api/v4" in text
    assert f"port: {stage.api.rpartition(':')[2]}" in text
