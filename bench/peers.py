"""Celery and taskiq workers at the same job: python peers.py [--tune]

They live in an environment of their own, made when it is first needed. The worker has the measured core,
its redis and its producer share the other one.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import stage
from figures import Run, median_of, say, show

JOBS = 1200
WARM = 100  # jobs before the clock starts
ROUNDS = 3
OUTCOMES = """
PRAGMA journal_mode = WAL;
CREATE TABLE outcome (
    number INTEGER PRIMARY KEY, url TEXT, body TEXT, status INTEGER, started_at REAL, finished_at REAL
);
"""
HOME = stage.REPOSITORY / ".venv-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`command` is its worker's, without the program; `environ` are settings for the worker's module."""

    name: str
    kind: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def celery(pool: str, size: int, prefetch: int) -> Peer:
    return Peer(
        name=f"celery, {pool} {size}, prefetch {prefetch}, requests",
        kind="celery",
        command=(
            *("-A", "peer_celery", "worker", "--loglevel", "ERROR", "--pool", pool, "-c", str(size)),
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "-O", "fair"),
        ),
        environ={"BENCH_PREFETCH": str(prefetch)},
    )


def taskiq(queue: str, size: int, *options: str) -> Peer:
    return Peer(
        name=" ".join([f"taskiq, {queue}, {size} at once, aiohttp", *options]),
        kind="taskiq",
        command=(
            *("worker", "peer_taskiq:broker", "--workers", "1", "--max-async-tasks", str(size)),
            *("--ack-type", "when_executed", "--log-level", "ERROR", *options),
        ),
        environ={"BENCH_QUEUE": queue},
    )


BEST = (celery("threads", 8, 4), celery("prefork", 4, 16), taskiq("stream", 64))
TUNING = (
    *(celery("threads", size, prefetch) for size, prefetch in ((4, 4), (16, 4), (16, 1), (16, 16), (32, 4))),
    *(celery("prefork", size, prefetch) for size, prefetch in ((2, 4), (4, 4), (8, 4))),
    *(taskiq(queue, size) for queue, size in (("stream", 16), ("stream", 256), ("list", 64), ("list", 16))),
    taskiq("stream", 64, "--no-parse"),
    taskiq("stream", 64, "--max-prefetch", "64"),
)


def prepare() -> None:
    """Raises Missing when a queue worker cannot be run here."""
    stage.program("redis-server")
    python()


def python() -> Path:
    """That of the queue workers' environment. Raises Missing when it cannot be made."""
    found, wanted = HOME / "bin" / "python", _wanted()
    ready = HOME / ".ready"
    if not (ready.exists() and ready.read_text() == wanted):
        say(f"setting up {HOME.name} (once)")
        venv.create(HOME, with_pip=True)
        install = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*install, *wanted.split("\n")], check=False).returncode:
            raise stage.Missing("the queue workers cannot be installed")
        ready.write_text(wanted)
    return found


def _wanted() -> str:
    """The extra `bench`, and what the job itself needs, as the project wants it."""
    project = tomllib.loads((stage.REPOSITORY / "pyproject.toml").read_text())["project"]
    shared = [each for each in project["dependencies"] if each.startswith(("jinja2", "orjson", "uvloop"))]
    return "\n".join([*project["optional-dependencies"]["bench"], *shared])


@dataclass(frozen=True, slots=True)
class Working:
    """A worker that is up and warm."""

    kind: str
    environ: Mapping[str, str]
    outcomes: Path
    session: int

    def produce(self, first: int, count: int, rate: float = 0) -> list[int]:
        """When each was emitted, nanoseconds of the monotonic clock; returns when all are done."""
        command = [str(python()), "peer_produce.py", self.kind, str(first), str(count), str(rate)]
        with stage.running(command, environ=self.environ, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            told = process.stdout.read()
            assert process.wait() == 0, "the producer failed"
        emitted: list[int] = json.loads(told)
        stage.until(lambda: self.done() >= first + count, "the jobs", 120)
        return emitted

    def done(self) -> int:
        """How many outcomes are stored, of successes only."""
        with closing(sqlite3.connect(self.outcomes, timeout=30)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM outcome WHERE status = 204").fetchone()
        return int(count)


@contextmanager
def working(peer: Peer, sink: int) -> Iterator[Working]:
    with tempfile.TemporaryDirectory() as name, stage.redis(Path(name)) as broker:
        outcomes = Path(name) / "outcomes.db"
        with closing(sqlite3.connect(outcomes)) as connection:
            connection.executescript(OUTCOMES)
        environ = {
            "BENCH_SINK": str(sink),
            "BENCH_OUTCOMES": str(outcomes),
            "BENCH_BROKER": broker,
            "PYTHONWARNINGS": "ignore",  # of running as root
            **peer.environ,
        }
        command = [str(python().parent / peer.kind), *peer.command]
        with stage.running(command, core=stage.MEASURED, environ=environ) as process:
            worker = Working(peer.kind, environ, outcomes, process.pid)
            worker.produce(0, WARM)
            yield worker


def measure(peer: Peer, sink: int, jobs: int = JOBS) -> Run:
    with working(peer, sink) as worker:
        before, used = stage.count_of(sink), stage.cpu_of(worker.session)
        emitted = worker.produce(WARM, jobs)
        took, used = time.monotonic() - emitted[0] / 1e9, stage.cpu_of(worker.session) - used
        assert worker.done() == WARM + jobs, f"{worker.done()} outcomes of {WARM + jobs} jobs"
        assert stage.count_of(sink) - before - 1 == jobs, "the sink got another number of requests"
    return Run(rate=jobs / took, cpu=used / jobs * 1e6)


def main() -> None:
    tune = "--tune" in sys.argv
    peers: Sequence[Peer] = (*BEST, *TUNING) if tune else BEST
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    with tempfile.TemporaryDirectory() as name, stage.nginx(Path(name)) as (sink,):
        for number in range(1 if tune else ROUNDS):
            for peer in peers:
                runs[peer.name].append(measure(peer, sink))
                say(f"round {number + 1}: {peer.name}: {runs[peer.name][-1].rate:,.0f}/s")
    show(
        "Queue workers, one process on one core (prefork: several processes on it)",
        ("worker", "deliveries/s, median (rounds)", "CPU us a delivery"),
        [
            (
                name,
                f"{median_of(each).rate:,.0f} ({', '.join(f'{run.rate:,.0f}' for run in each)})",
                f"{median_of(each).cpu:,.0f}",
            )
            for name, each in runs.items()
        ],
    )


if __name__ == "__main__":
    stage.pin(stage.REST)
    try:
        main()
    except stage.Missing as error:
        print(f"left out: {error}")
