"""Which processes a process has started."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    if Path("/proc/self/stat").exists():  # slim images of Linux have no ps
        stats = [_stat(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [child for child, parent in stats if parent == pid]
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def _stat(process: Path) -> tuple[int, int]:
    """Id and parent's id; the name between them may hold anything."""
    with suppress(OSError):
        return int(process.name), int(
            (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        )
    return 0, 0
