"""A disk of its own for a database, small enough to be filled."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

CHUNK = 1 << 14


class CannotMount(Exception):
    """Only root may, and not everywhere."""


class SmallDisk:
    """A context manager. `owner`: the id of the user that may write there; None: this one."""

    def __init__(self, megabytes: int, owner: int | None = None) -> None:
        self._options = f"size={megabytes}m,mode=755,uid={os.geteuid() if owner is None else owner}"
        self.path = Path(tempfile.mkdtemp(prefix="hookengine-disk-", dir="/tmp"))

    def __enter__(self) -> Self:
        command = ["mount", "-t", "tmpfs", "-o", self._options, "none", self.path]
        try:
            subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.path.rmdir()
            raise CannotMount(getattr(error, "stderr", str(error)).strip()) from error
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self.path], check=True)
        self.path.rmdir()

    def fill(self) -> None:
        """To the last page."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(bytes(CHUNK)):
                pass

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"
