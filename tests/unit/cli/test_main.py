"""What all commands have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
import pytest

from hookengine import __version__
from hookengine.cli import checking
from hookengine.cli.main import COMMANDS, main


def test_help_names_every_command_and_every_exit_code(run: Any) -> None:
    shown = run("--help")

    assert shown.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in shown.stdout
    for code in (0, 1, 2, 3, 4, 130):
        assert f"\n    {code} " in shown.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])
def test_every_command_has_help_that_begins_as_the_list_says(name: str, run: Any) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)

    assert isinstance(command, click.Command)
    assert run(name, "--help").exit_code == 0


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_the_packages_own(arguments: list[str], run: Any) -> None:
    assert run(*arguments).stdout == f"hookengine {__version__}\n"


def test_a_mistyped_command_is_told_which_one_was_meant(run: Any) -> None:
    result = run("servee")

    assert result.exit_code == 2
    assert "there is no command 'servee', did you mean 'serve'?" in result.stderr
    assert result.stdout == ""


def test_a_command_like_no_other_is_told_which_there_are(run: Any) -> None:
    assert "there is demo, init, serve" in run("xyzzy").stderr


def test_being_interrupted_is_exit_code_130(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checking.validate, "callback", interrupted)

    assert run("validate").exit_code == 130


def test_a_bug_is_told_in_a_sentence_and_traced_only_on_request(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(checking.validate, "callback", broken)

    result = run("validate")
    assert result.exit_code == 1
    assert result.stderr.startswith("unexpected KeyError: 'no such thing'\n")
    assert "Traceback" not in result.stderr
    assert isinstance(run("--traceback", "validate").exception, KeyError)


def test_no_color_is_honoured_where_colour_would_be_shown(run: Any, server: Any) -> None:
    arguments = ("emit", "action.failed", "--pipeline", "1", "--action", "5", "--set", "action.error=x")

    assert "\x1b[" in run(*arguments, color=True).stdout
    assert "\x1b[" not in run(*arguments, color=True, env={"NO_COLOR": "1"}).stdout


LIGHT = {"click", "hookengine"}
"""What a command that only talks to a server may import beside the standard library, before it has an answer."""

TO_A_SERVER = [
    ["--help"],
    ["emit", "action.started", "--pipeline", "1", "--action", "1"],
    ["deliveries", "list"],
    ["events", "list"],
    ["trigger", "nothing"],
    ["actions", "list"],
    ["replays", "list"],
    ["status", "6dcb09b5"],
    ["hooks", "list"],
    ["pipelines", "list"],
    ["secrets", "list"],
    ["tokens", "list"],
    ["diff", "-"],
    ["apply", "-"],
    ["export"],
    ["postman"],
    ["completion", "bash"],
]


def _in_a_process(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"HOOKENGINE_SERVER": "http://127.0.0.1:1"},
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("arguments", TO_A_SERVER, ids=" ".join)
def test_commands_that_only_talk_to_a_server_import_next_to_nothing(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from hookengine.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "    print(*sorted(roots - sys.stdlib_module_names))\n"
    )

    assert set(_in_a_process(program, *arguments).split()) <= LIGHT


def test_a_command_that_talks_to_a_server_starts_in_a_blink() -> None:
    """CPU time, the least of some runs; a machine with much to do needs more for the same. It is half of that."""
    program = (
        "import sys, time\n"
        "from hookengine.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    print(time.process_time())\n"
    )

    least = 9.0
    for _ in range(8):
        least = min(least, float(_in_a_process(program, "hooks", "list")))
        if least < 0.3:
            break

    assert least < 0.3


WITHOUT_DATA = {
    "demo": "is for people",
    "init": "is for people",
    "serve": "writes its log",
    "simulate": "is for people",
    "secrets rotate": "is for people",
    "secrets delete": "leaves nothing to show",
    "tokens revoke": "leaves nothing to show",
    "hooks delete": "leaves nothing to show",
    "schema": "is JSON",
    "openapi": "is JSON",
    "postman": "is JSON",
    "completion": "is a script",
    "version": "is one line",
}
"""Commands that do not write what they have to say as JSON or YAML if that is wanted, and why not."""


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS_WITH_DATA = [pair for pair in _leaves(main) if pair[0] not in WITHOUT_DATA]


@pytest.mark.parametrize(
    ("name", "command"), COMMANDS_WITH_DATA, ids=[name for name, _ in COMMANDS_WITH_DATA]
)
def test_every_command_that_shows_something_shows_it_to_programs_too(
    name: str, command: click.Command
) -> None:
    (output,) = [each for each in command.params if each.name == "output"]

    assert isinstance(output.type, click.Choice)
    assert {"json", "yaml"} <= set(output.type.choices)
