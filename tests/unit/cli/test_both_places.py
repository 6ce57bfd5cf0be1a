"""A command that asks the API does the same at a server and in the database of a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
from fastapi import FastAPI

from hookengine.app import engine, parts
from hookengine.cli.client import Client
from hookengine.cli.database import Database
from hookengine.cli.main import main
from hookengine.manifest.presets import Presets
from hookengine.web import app
from hookengine.web.app import Doors
from tests.unit.cli.conftest import CONFIG, INCOMING, Serving

EVENT: Final = {"id": "e1", "type": "action.started", "action": {"id": 41, "pipeline": 1}}
OPENED: Final = '{"action": "opened", "head": {"sha": "6dcb09b5", "ref": "dev"}}'

ASKS: Final = [
    # Each is asked twice, at the server and in the database, so each leaves the same behind when it is done again.
    ("emit action.started --pipeline 1 --action 41 --id e1", 0),
    ("emit action.started --pipeline 1 --action 42 --id e1", 1),
    ("emit action.started --pipeline shop-deplo --action 41", 1),
    (f"trigger {INCOMING} --data {OPENED}", 0),
    ("trigger nothing", 1),
    ("deliveries list --since 2h", 0),
    ("deliveries list -q stat:failed", 1),
    ("deliveries show dlv_none", 1),
    ("deliveries attempts dlv_none", 1),
    ("deliveries replay dlv_none", 1),
    ("deliveries cancel dlv_none", 1),
    ("replays plan -q status:queued", 0),
    ("replays start -q stat:queued", 1),
    ("replays list", 0),
    ("replays show rpl_none", 1),
    ("replays pause rpl_none", 1),
    ("replays resume rpl_none", 1),
    ("replays cancel rpl_none", 1),
    ("actions list --pipeline shop-deploy", 0),
    ("actions show 41", 0),
    ("actions show 4711", 1),
    ("events list --type action.started", 0),
    ("events show e1", 0),
    ("events show e2", 1),
    ("events explain e1", 0),
    ("events explain e1 --file -", 2),
    ("status 6dcb09b5", 1),
    ("hooks list", 0),
    ("hooks list --pipeline shop-deplo", 1),
    ("hooks show chat", 0),
    ("hooks show cha", 1),
    ("hooks show tell", 2),
    ("hooks pause chat moving", 0),
    ("hooks disable chat moving", 0),
    ("hooks enable chat", 0),
    ("hooks create hooks.yaml", 2),
    ("hooks create list.yaml", 2),
    ("hooks create wrong.yaml", 1),
    ("hooks edit chat --file chat.yaml", 1),
    ("hooks edit chat", 2),
    ("hooks edit nobody --file chat.yaml", 1),
    ("hooks versions chat", 0),
    ("hooks versions nobody", 1),
    ("hooks delete chat", 1),
    ("hooks preview chat", 0),
    ("hooks preview chat --event e1", 1),
    ("hooks preview chat --event e1 --ignore-conditions", 0),
    ("test chat --event e1", 1),
    ("test chat --event e2", 1),
    ("deployments --team shop --window 30", 0),
    ("deployments --at yesterday", 1),
    ("pipelines list", 0),
    ("pipelines show shop-deploy", 0),
    ("pipelines show 9", 1),
    ("secrets set chat --hosts a.example", 0),
    ("secrets set github", 1),
    ("secrets set chat --pipeline 9", 1),
    ("secrets set chat --pipeline 1 --hook x", 2),
    ("secrets list", 0),
    ("secrets delete nothing", 1),
    ("tokens create bot --scope emit --team shop", 0),
    ("tokens create bot --scope write", 2),
    ("tokens list", 0),
    ("tokens revoke nothing", 1),
    ("diff hooks.yaml", 0),
    ("diff more.yaml", 1),
    ("diff broken.yaml", 2),
    ("diff hooks.yaml --prune", 2),
    ("apply hooks.yaml", 0),
    ("apply more.yaml --dry-run", 0),
    ("apply broken.yaml", 2),
    ("export", 0),
    ("postman", 0),
    ("hooks edit chat --file chat.yaml --force", 0),
]

ELSEWHERE: Final = {
    "demo": "has an engine of its own",
    "init": "makes the configuration",
    "serve": "is the server",
    "migrate": "is about the database itself",
    "secrets rotate": "is about the key file",
    "render": "is about a file",
    "validate": "is about files",
    "simulate": "is about other hosts",
    "schema": "is the same everywhere",
    "openapi": "is the same everywhere",
    "completion": "is about the shell",
    "version": "is about the program",
}
"""Commands that do not ask the API, and why not."""

PLACE_OPTIONS: Final = {"server", "token", "token_file", "config"}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS: Final = dict(leaves(main))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and files for the commands."""
    folder = tmp_path_factory.mktemp("place")
    kept = "{chat: {stored: true}, github: {env: NOT_SET, hosts: [target.example]}, insecure_plaintext: true}"
    text = re.sub(r"secrets: \{.*\}\n", f"secrets: {kept}\n", CONFIG)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    (folder / "token").write_text("hke_test\n", encoding="ascii")
    chat = "{id: chat, name: the chat, target_url: 'https://a.example/', trigger_when: {events: [action.failed]}}"
    (folder / "hooks.yaml").write_text(f"hooks: [{chat}]\n", encoding="utf-8")
    (folder / "more.yaml").write_text(f"hooks: [{chat.replace('chat', 'more')}]\n", encoding="utf-8")
    (folder / "list.yaml").write_text("- a\n", encoding="utf-8")
    (folder / "wrong.yaml").write_text("name: x\nmethode: GET\n", encoding="utf-8")
    (folder / "chat.yaml").write_text(chat.replace("id: chat, ", ""), encoding="utf-8")
    (folder / "broken.yaml").write_text("hooks: [{nam: x}]\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    server = Serving(place / "config.yaml", patience=600)
    yield server.url
    server.close()


@pytest.fixture(scope="module")
def database(place: Path) -> Iterator[Database]:
    """One that stays open: to open it takes longer than all else."""
    kept = Database(place / "config.yaml")
    _, plan = Client(kept).post(
        "/api/apply",
        json.dumps({"files": [{"name": "h", "text": (place / "hooks.yaml").read_text("utf-8")}]}).encode(),
    )
    assert plan["changed"]
    yield kept
    kept.close()


@pytest.fixture
def said(place: Path, url: str, database: Database, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a command did at each of the two: exit code, stdout, stderr, less what must differ."""
    monkeypatch.chdir(place)
    monkeypatch.setattr("hookengine.cli.database.Database", lambda config: database)
    monkeypatch.setattr(database, "close", lambda: None)
    at = {"server": ("--server", url, "--token", "hke_test"), "database": ("--config", "config.yaml")}

    def ask(where: str, line: str) -> tuple[int, str, str]:
        done = _run(run, line, *at[where])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, _common(done.stdout), _common(done.stderr)

    return ask


def _common(text: str) -> str:
    """Without ids that are made anew each time, times, and the address of the server."""
    text = re.sub(r"http://127\.0\.0\.1:\d+", "SERVER", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "UUID", text)
    text = re.sub(
        r"hke_\w+|(?<=bot \()[a-z0-9]{16}|\b(evt|dlv|rpl)_[0-9a-f]{32}|\b[0-9a-f]{12}\b|\b\d{16}\b",
        "ID",
        text,
    )
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z|\b\d+s ago", "TIME", text)
    return re.sub(r"started action \d+", "started action N", text)


def test_the_server_and_the_database_say_the_same(said: Any) -> None:
    """Line after line: each goes on where the ones before it left off."""
    wrong = {}
    for line, exit_code in ASKS:
        first, second = said("server", line), said("database", line)
        if first[0] != exit_code or first != second:
            wrong[line] = exit_code, first, second

    assert wrong == {}


def _one_line_each() -> dict[str, str]:
    """For every command a line that gets as far as asking."""
    found: dict[str, str] = {}
    for line, exit_code in ASKS:
        if exit_code != 2:
            found.setdefault(_command_of(line), line)
    return found


def _command_of(line: str) -> str:
    (name,) = [name for name in COMMANDS if f"{line} ".startswith(f"{name} ")]
    return name


def _run(run: Any, line: str, *more: str) -> Any:
    command = line.split(" ", 3) if line.startswith("trigger") else line.split()
    return run(*command, *more, input=json.dumps(EVENT))


@pytest.mark.parametrize("line", _one_line_each().values())
def test_no_server_is_exit_code_3_for_every_command(
    line: str, place: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)

    done = _run(run, line, "--server", "http://127.0.0.1:1")

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("no hookengine at http://127.0.0.1:1: Connection refused\n")


@pytest.mark.parametrize("line", [line for name, line in _one_line_each().items() if name != "trigger"])
def test_a_token_that_is_not_accepted_is_exit_code_4_for_every_command_but_trigger(
    line: str, place: Path, url: str, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incoming hook lets in whoever knows its address."""
    monkeypatch.chdir(place)

    done = _run(run, line, "--server", url, "--token", "hke_wrong")

    assert (done.exit_code, done.stdout) == (4, "")
    assert "does not accept the token\ngive one with --token-file FILE" in done.stderr


@pytest.mark.parametrize("line", _one_line_each().values())
def test_no_configuration_is_exit_code_2_for_every_command(
    line: str, place: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)

    done = _run(run, line, "--config", "nowhere.yaml")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "nowhere.yaml: cannot be read: No such file or directory"
        " (name another file, or make one with `hookengine init`)\n"
    )


def test_every_command_is_in_one_of_the_lists() -> None:
    asked = {_command_of(line) for line, _ in ASKS}

    assert asked | set(ELSEWHERE) == set(COMMANDS)
    assert not asked & set(ELSEWHERE)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(ELSEWHERE)))
def test_commands_that_ask_the_api_say_where_with_the_same_options(name: str) -> None:
    assert {option.name for option in COMMANDS[name].params} >= PLACE_OPTIONS


def test_a_command_over_a_database_builds_what_it_asks_for_and_reads_no_presets(
    config: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else would take longer than the command itself."""
    built = []

    def create_web(doors: Doors, *, within: str | None = None) -> FastAPI:
        built.append(within)
        return real(doors, within=within)

    def presets() -> Presets:
        raise AssertionError("nobody delivers here")

    real = app.create_web
    monkeypatch.setattr(engine, "create_web", create_web)
    monkeypatch.setattr(parts, "shipped_presets", presets)

    assert run("migrate", "--config", str(config)).exit_code == 0
    assert run("hooks", "list", "--config", str(config)).exit_code == 0

    assert built == ["/api/pipelines", "/api/hooks"]
