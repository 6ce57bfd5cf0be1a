"""How the process ends when somebody else ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOOKENGINE = (sys.executable, "-m", "hookengine")


@pytest.mark.usefixtures("folder")
def test_a_reader_who_has_seen_enough_is_no_reason_for_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            (*HOOKENGINE, "schema"), stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.usefixtures("folder")
def test_ctrl_c_while_a_server_thinks_is_130_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asking = subprocess.Popen(
            (*HOOKENGINE, "hooks", "list", "--server", f"http://127.0.0.1:{listener.getsockname()[1]}"),
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = listener.accept()
        with connection:  # it waits for an answer
            asking.send_signal(signal.SIGINT)
            _, said = asking.communicate(timeout=60)

    assert asking.returncode == 130
    assert "Traceback" not in said


def test_ctrl_c_while_the_database_is_asked_is_130_without_a_traceback(config: Path) -> None:
    program = (
        "import os, signal\n"
        "from hookengine.cli import database\n"
        "from hookengine.cli.main import main\n"
        "asked = database.Database._asked\n"
        "async def interrupted(self, *what):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return await asked(self, *what)\n"
        "database.Database._asked = interrupted\n"
        "main(['hooks', 'list'], prog_name='hookengine')\n"
    )

    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_what_the_system_refuses_is_told_with_its_file(folder: Path, run: Any) -> None:
    Path("config.yaml").symlink_to("nowhere/at/all")

    refused = run("init")

    assert (refused.exit_code, refused.stderr) == (2, "config.yaml: No such file or directory\n")
