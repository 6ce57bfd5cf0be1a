"""Tests of one file meet on one worker, so that the servers and databases they share are made once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

MAKEFILE = Path(__file__).parent.parent.parent / "Makefile"
SIX = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(6))
def test_writes_its_worker(number):
    pathlib.Path(os.environ["PYTEST_XDIST_WORKER"] + "." + pathlib.Path(__file__).stem).touch()
"""


def test_a_files_tests_run_on_one_worker_and_files_on_several(tmp_path: Path) -> None:
    """Groups marked with `xdist_group` are passed over in silence where pytest and pytest-xdist do not fit."""
    shared = re.findall(r"^SHARED = -n \$\(WORKERS\) (.+)$", MAKEFILE.read_text(), re.MULTILINE)
    for name in ("test_this.py", "test_that.py"):
        (tmp_path / name).write_text(SIX)
    alone = ["-c", os.devnull, "--rootdir=.", "-p", "xdist", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", *shared[0].split(), *alone],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "12 passed" in done.stdout, done.stdout + done.stderr
    written = sorted(path.name.split(".") for path in tmp_path.glob("gw*"))
    assert [worker for worker, _ in written] == ["gw0", "gw1"]
    assert sorted(file for _, file in written) == ["test_that", "test_this"]
