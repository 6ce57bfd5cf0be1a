"""`hookengine completion`, and the page of the documents that has every command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from hookengine.cli.main import COMMANDS, main
from hookengine.cli.reference import page

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(shell: str, run: Any) -> None:
    printed = run("completion", shell).stdout

    assert "_HOOKENGINE_COMPLETE" in printed
    assert f"{shell}_complete" in printed


def test_another_shell_is_told_which_there_are(run: Any) -> None:
    result = run("completion", "tcsh")

    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("hookengine de", "deliveries"),
        ("hookengine hooks p", "pause"),
        ("hookengine diff --sel", "--selector"),
    ],
)
def test_commands_and_options_are_completed(words: str, offered: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hookengine"],
        env={
            **os.environ,
            "_HOOKENGINE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"plain,{offered}" in done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to try it in")
def test_bash_understands_the_script(run: Any) -> None:
    subprocess.run(["bash", "-n"], input=run("completion", "bash").stdout, text=True, check=True)


def test_the_documents_have_every_command_as_its_help_is_now() -> None:
    """`python -m tests.unit.cli.test_completion` writes the page anew."""
    assert PAGE.read_text("utf-8") == page(main)
    assert all(f"hookengine {name}\n" in page(main) for name in COMMANDS)


def test_the_page_is_the_same_after_a_command_was_called_on_its_own() -> None:
    @click.group(context_settings=main.context_settings)
    def parent() -> None: ...

    @parent.command()
    def child() -> None: ...

    CliRunner().invoke(child)

    assert page(parent).count("-h, --help") == 2


if __name__ == "__main__":
    PAGE.write_text(page(main), encoding="utf-8")
