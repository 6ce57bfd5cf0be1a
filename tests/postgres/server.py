"""Starting, stopping and killing a server."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.ports import free_port
from tests.postgres.processes import children
from tests.postgres.programs import Account, account, find_binaries, reachable
from tests.postgres.session import Session

ROOM = 1 << 30  # bytes free in memory, so that a data folder may lie there
PATIENCE = 60.0  # seconds for a server to start or to end
OWNER = "hookengine"  # owns the databases, and is no superuser
GUEST = "guest"  # the only role that is asked for a password, when a test makes it

SETTINGS: Mapping[str, object] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": 50,
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_logical_replication_workers": 0,
    "max_parallel_workers": 0,
}
INITDB = ("--no-sync", "--no-locale", "--no-instructions", "--encoding=UTF8", "--auth=trust")
CARELESS: Mapping[str, object] = {"fsync": "off", "full_page_writes": "off"}

# Beside the server sits a shell that reads from this process. When that ends without a word, so does the server.
# It says the server's id first, then leaves the pipe to the server: the pipe ends with its last process.
GUARD = """
"$@" </dev/null 2>>"$LOG" &
echo $!
exec >/dev/null
read -r told || { kill -QUIT $!; kill -CONT $!; }
wait $! 2>/dev/null
[ "$told" ] || rm -rf "$FOLDER"
"""


class PostgresServer:
    """Its data folder is made at once; `start` it, or use it as a context manager.

    `fsync=False` is for tests that kill no machine. `settings` go into postgresql.conf and count from the next
    start. `binaries`: a folder with initdb and postgres, None for those of `find_binaries`.
    """

    def __init__(
        self,
        *,
        fsync: bool = True,
        settings: Mapping[str, object] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._account: Account = account()
        self.folder = _new_folder(in_memory=not fsync)
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.binaries = reachable(binaries or find_binaries(), self._account, self.folder)
        self.port = free_port()
        self.settings: dict[str, object] = {**SETTINGS, **({} if fsync else CARELESS), **(settings or {})}
        self._fsync = fsync
        self._guard: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self._make_data()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()

    def start(self) -> None:
        """Returns once connections are taken. After a `kill` it recovers first."""
        self._write_settings()
        self._guard = guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", self.binaries / "postgres", "-D", self._data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.defpath, "LOG": str(self._log), "FOLDER": str(self.folder)},
            start_new_session=True,
            **self._account,
        )
        assert guard.stdout is not None
        self.pid = int(guard.stdout.readline())
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._has_ended(within=0.005):
                self._dismiss_guard()
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log_end()}")
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"PostgreSQL was not ready after {PATIENCE} s:\n{self._log_end()}")

    def stop(self, mode: str = "fast") -> None:
        """fast: sessions are cut off and everything is written. immediate: as if the server had crashed."""
        os.kill(self.pid, {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self._wait_for_end()

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """kill -9, the server and each of its processes."""
        os.kill(self.pid, signal.SIGSTOP)  # it starts no more of them
        for process in [*children(self.pid), self.pid]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._wait_for_end()

    def close(self) -> None:
        """Stopped, and the data folder removed."""
        if self.running:
            self.stop("immediate")
        self._remove_folder()

    @property
    def running(self) -> bool:
        return self._guard is not None

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def create_database(self, name: str, template: str | None = None) -> str:
        """The URL of it. `template`: the database to copy, to which nobody may be connected."""
        # Copying files needs two checkpoints, which cost little without fsync and much with it.
        copied = (
            f"TEMPLATE {template} STRATEGY {'wal_log' if self._fsync else 'file_copy'}" if template else ""
        )
        self.execute(f"CREATE DATABASE {name} OWNER {OWNER} {copied}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Also while somebody is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statements: str, database: str = "postgres") -> None:
        """As the superuser."""
        with Session(self.url(database, "postgres")) as session:
            session.execute(statements)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _make_data(self) -> None:
        if self._account:
            os.chown(self.folder, self._account["user"], self._account["group"])
        made = subprocess.run(
            [self.binaries / "initdb", "-D", self._data, "--username=postgres", *INITDB],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.defpath},
            **self._account,
        )
        if made.returncode != 0:
            self._remove_folder()
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        (self._data / "pg_hba.conf").write_text(
            f"host all {GUEST} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
            encoding="utf-8",
        )
        self.start()
        self.execute(f"CREATE ROLE {OWNER} LOGIN")
        self.stop()

    def _write_settings(self) -> None:
        lines = [f"{name} = '{value}'\n" for name, value in {**self.settings, "port": self.port}.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines), encoding="utf-8")

    def _is_ready(self) -> bool:
        """What the server says in its own file; an older file bears another id."""
        with suppress(OSError, IndexError):
            said = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return said[0] == str(self.pid) and said[7].strip() == "ready"
        return False

    def _has_ended(self, within: float) -> bool:
        assert self._guard is not None
        assert self._guard.stdout is not None
        return bool(select.select([self._guard.stdout], [], [], within)[0])

    def _wait_for_end(self) -> None:
        if not self._has_ended(within=PATIENCE):
            raise TimeoutError(f"PostgreSQL did not end within {PATIENCE} s:\n{self._log_end()}")
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        assert self._guard is not None
        self._guard.communicate(b"ended\n")
        self._guard = None

    def _log_end(self) -> str:
        with suppress(OSError):
            return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        return ""


def _new_folder(*, in_memory: bool) -> Path:
    """Where another account can reach it, which the folders of pytest are not.

    Memory, where there is enough: a database is some 300 files, and disks differ much in how long they take.
    """
    memory = Path("/dev/shm")
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    if in_memory and memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        places = [memory]
    open_to_all = [
        place
        for place in places
        if all(parent.stat().st_mode & 0o001 for parent in (place.resolve() / "x").parents)
    ]
    folder = Path(tempfile.mkdtemp(prefix="hookengine-postgres-", dir=(open_to_all or places)[0]))
    folder.chmod(0o755)
    return folder
