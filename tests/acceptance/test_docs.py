"""Every block in the documents is run, or says why it is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookengine.config import read_config
from hookengine.domain.event import Event
from hookengine.manifest import load
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
SHOWN_ONLY = {"text", "mermaid"}
_BLOCK = re.compile(
    r"(?P<reason><!-- not run here: .+? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    language: str
    text: str
    excused: bool

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        content = document.read_text()
        for found in _BLOCK.finditer(content):
            line = content.count("\n", 0, found.start()) + 1
            yield Block(document, line, found["language"], found["text"], found["reason"] is not None)


def of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages and not block.excused]


def test_every_block_is_of_a_kind_that_is_run_or_shown_or_excused() -> None:
    known = {"sh", "yaml", "json", *SHOWN_ONLY}

    unknown = [str(block) for block in blocks() if block.language not in known and not block.excused]

    assert unknown == []


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_in_the_documents_is_a_valid_configuration(block: Block) -> None:
    read_config(load(block.text), {})


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_in_the_documents_is_an_event(block: Block) -> None:
    Event.parse(json.loads(block.text))


@pytest.mark.parametrize(
    "document", sorted({block.document for block in of("sh")}), ids=lambda path: path.name
)
def test_commands_in_the_documents_work_in_order_as_printed(document: Path, tmp_path: Path) -> None:
    """With the role api, `serve` accepts without delivering: a test sends nothing to real hosts."""
    port = free_port()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "hookengine").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hookengine "$@"\n')
    (bin_folder / "hookengine").chmod(0o755)
    environment = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "HOOKENGINE_SERVER__PORT": str(port),
        "HOOKENGINE_SERVER": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(ROOT),
    }
    script = "\n".join(block.text for block in of("sh") if block.document == document)
    script = script.replace("127.0.0.1:8730", f"127.0.0.1:{port}")
    script = re.sub(r"^hookengine serve$", lambda _: _SERVE, script, flags=re.MULTILINE)
    folder = tmp_path / "work"
    folder.mkdir()

    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if document.name.startswith("from-"):
        owed = [line for line in done.stdout.splitlines() if line.startswith("dlv_") and "queued" in line]
        assert owed, "what was told there fired no hook"


_SERVE = """
coproc SERVER { exec hookengine serve --role api 2>&1; }
trap 'kill $SERVER_PID; wait $SERVER_PID || true' EXIT
while read -r line <&"${SERVER[0]}"; do case $line in *listening*) break ;; esac; done
"""
