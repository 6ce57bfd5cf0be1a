"""`hookengine init`, and that what it writes works."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.cli.beginnings import BEGINNINGS
from hookengine.guard.key_file import read_keys


def mode(file: str) -> int:
    return stat.S_IMODE(Path(file).stat().st_mode)


@pytest.mark.parametrize("told", list(BEGINNINGS))
def test_what_it_writes_is_valid_and_renders_a_request(told: str, folder: Path, run: Any) -> None:
    assert run("init", told).exit_code == 0

    shown = run("render", "--hook", BEGINNINGS[told].hook, "--event", "sample:action.started")
    assert run("validate").stdout == "config.yaml: ok (1 pipeline, 1 hook)\n"
    assert shown.exit_code == 0, shown.stderr
    assert BEGINNINGS[told].api in shown.stdout
    assert (f"<secrets.{told}>" in shown.stdout) is not BEGINNINGS[told].signed


def test_editors_find_the_schema_beside_the_configuration(folder: Path, run: Any) -> None:
    run("init")

    first, second = Path("config.yaml").read_text("utf-8").splitlines()[:2]
    assert (first, second) == (
        "# yaml-language-server: $schema=./hookengine.schema.json",
        "# $schema: ./hookengine.schema.json",
    )
    assert json.loads(Path("hookengine.schema.json").read_text("utf-8")) == json.loads(run("schema").stdout)


def test_key_and_token_are_for_their_owner_only_and_the_token_is_shown_once(folder: Path, run: Any) -> None:
    done = run("init")

    token = Path("hookengine.token").read_text(encoding="ascii").strip()
    assert (mode("hookengine.key"), mode("hookengine.token")) == (0o600, 0o600)
    assert read_keys(Path("hookengine.key"))
    assert re.fullmatch(r"hke_[a-z2-7]{16}_[a-z2-7]{52}", token)
    assert done.stdout.count(token) == 1
    assert token not in Path("config.yaml").read_text(encoding="utf-8")


def test_nothing_that_is_there_is_changed(folder: Path, run: Any) -> None:
    run("init")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    result = run("init", "gitlab")

    assert (result.exit_code, result.stderr) == (1, "config.yaml is here already; nothing was written\n")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_key_and_a_token_that_are_there_are_kept_and_said_to_be(folder: Path, run: Any) -> None:
    run("init")
    before = Path("hookengine.key").read_bytes(), Path("hookengine.token").read_bytes()
    Path("config.yaml").unlink()

    again = run("init")

    assert again.stdout.count("kept, it was here already") == 3
    assert "hke_" not in again.stdout
    assert (Path("hookengine.key").read_bytes(), Path("hookengine.token").read_bytes()) == before


def test_the_commands_it_names_are_commands(
    folder: Path, run: Any, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are run, as they are printed."""
    import shlex

    lines = run("init").stdout.partition("Next:\n")[2].replace("\\\n", "").splitlines()
    render, serve, emit, listing = (shlex.split(line) for line in lines)
    monkeypatch.setenv("HOOKENGINE_SERVER__PORT", "0")
    server = serving(Path("config.yaml"))
    monkeypatch.setenv("HOOKENGINE_SERVER", server.url)
    assert run(*render[1:]).exit_code == 0
    assert serve == ["hookengine", "serve"]
    assert "commit status" in run(*emit[1:]).stdout
    assert "commit status" in run(*listing[1:]).stdout
    assert httpx.get(f"{server.url}/api/deliveries", trust_env=False).status_code == 401
    assert server.stop(signal.SIGTERM)[0] == 0
