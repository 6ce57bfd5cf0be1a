"""Private servers on loopback, started for one measurement and ended by pid, and who runs on which core.

What is measured has a core for itself; servers, producers and the bench itself share another one.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BENCH = REPOSITORY / "bench"
_CORES = sorted(os.sched_getaffinity(0))
REST, MEASURED = _CORES[0], _CORES[min(1, len(_CORES) - 1)]
PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "redis-server": "redis-server", "taskset": "util-linux"}
POSTGRES = {
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
}
READY_WITHIN = 30.0  # seconds

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; client_max_body_size 1m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {tls}
  server {{ {listens} location / {{ return 204; }} location = /count {{ stub_status; }} }}
}}
"""


class Missing(Exception):
    """Something this row of a table needs is not there; the text says what, and where it is to be had."""


def program(name: str) -> str:
    """Its path. Raises Missing."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"{name} is not installed; on Debian and Ubuntu: apt install {PACKAGES[name]}")
    return found


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def pin(core: int) -> None:
    """This process, and what it starts from now on."""
    os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    core: int = REST,
    environ: Mapping[str, str] | None = None,
    stdout: int | None = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[str]]:
    """A process of its own session on `core`; it and what it started is gone when the context is left."""
    process = subprocess.Popen(
        [program("taskset"), "-c", str(core), *command],
        cwd=BENCH,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def until(holds: Callable[[], bool], what: str, seconds: float = READY_WITHIN) -> None:
    """Raises TimeoutError."""
    stop = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > stop:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.01)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def nginx(folder: Path, ports: int = 1, certificate: Path | None = None) -> Iterator[list[int]]:
    """Answers 204 to everything, on so many ports; `count_of` tells how often. Raises Missing.

    With a `certificate` (its key beside it in the file) it speaks TLS.
    """
    chosen = free_ports(ports)
    listens = " ".join(f"listen 127.0.0.1:{port}{' ssl' if certificate else ''};" for port in chosen)
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};" if certificate else ""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, listens=listens, tls=tls))
    with running([program("nginx"), "-c", str(file), "-p", str(folder), "-e", "stderr"]):
        until(lambda: answers(chosen[0]), "nginx")
        yield chosen


def count_of(port: int) -> int:
    """How many requests nginx has answered, questions of this kind included."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as answer:
        found = re.search(r"\n (\d+) (\d+) (\d+) ?\n", answer.read().decode())
    assert found is not None
    return int(found[3])


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps nothing on disk. Raises Missing."""
    (port,) = free_ports(1)
    settings = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with running([program("redis-server"), *settings, "--dir", str(folder)]):
        until(lambda: answers(port), "redis")
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """Makes databases on a server that flushes what it commits, and returns their URLs. Raises Missing."""
    sys.path.insert(0, str(REPOSITORY))
    try:
        servers = importlib.import_module("tests.postgres")
        server = servers.PostgresServer(fsync=True, settings=POSTGRES)
    except servers.PostgresMissing as error:
        raise Missing(str(error)) from error
    finally:
        sys.path.remove(str(REPOSITORY))
    numbers = itertools.count()
    with server:
        yield lambda: str(server.create_database(f"bench_{next(numbers)}"))


def cpu_of(session: int) -> float:
    """Seconds of CPU that all living processes of a session have used, and their ended children."""
    return sum(_times(each, session) for each in Path("/proc").iterdir() if each.name.isdigit())


def _times(folder: Path, session: int) -> float:
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ticks = sum(map(int, fields[11:15])) if int(fields[3]) == session else 0
    return ticks / os.sysconf("SC_CLK_TCK")
