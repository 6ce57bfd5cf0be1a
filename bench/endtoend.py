"""Events in, requests out, outcomes stored: the engine beside queue workers at the same job.

    python bench/endtoend.py [--events N] [--rounds N] [WORD ...]

With words, only the rows that hold one of them. Every run checks that the rows delivered and the requests
the target got equal the events sent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import job
import peers
import stage
from figures import Run, median_of, p50_p99, say, show
from ours import PATIENCE, Result

EVENTS = 16_000
WARM = 500  # deliveries before the clock starts
ROUNDS = 3
KEEPING_UP, BEHIND = 256, 4000  # events that may be undelivered while more are emitted
TARGETS = 64  # ports of nginx
LIGHT = 50.0  # events a second: one is long done when the next one comes
STEADY = 1000.0
SECONDS = 5  # of a light or steady load

Measure = Callable[[int], Run]
Trace = Callable[[float, int], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`measure` takes how many events, `trace` a rate and how many, and returns milliseconds from emitting
    to arriving at the target."""

    name: str
    measure: Measure
    trace: Trace
    goal: str = ""
    peer: bool = False  # a queue worker, which cannot keep up with STEADY
    delayed: bool = True  # whether its delays are another story than those of its neighbours


@dataclass(frozen=True, slots=True)
class Stage:
    """`nginx` and `sink` are the ports of the targets that only count and of the one that notes times."""

    folder: Path
    nginx: Sequence[int]
    sink: int


def engine(
    name: str, stage_: Stage, database: Callable[[], str], ahead: int, goal: str = "", targets: int = 1
) -> Row:
    """`ahead`: events that may be undelivered while more are emitted in process; 0: they come over HTTP."""

    def run(sinks: Sequence[int], mode: tuple[str, float], count: int) -> tuple[Result, int]:
        """What came of it, and when the first event was emitted."""
        address = database()
        config = stage_.folder / "config.yaml"
        config.write_text(job.config(address, sinks))
        way = ("http",) if not ahead else (mode[0], str(mode[1]))
        command = [sys.executable, "ours.py", str(config), str(WARM), str(count), *way]
        with stage.running(command, core=stage.MEASURED, stdout=subprocess.PIPE) as process:
            emitted = [] if ahead else load(process, count, mode[1] if mode[0] == "paced" else 0)
            told = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, f"{name}: the engine failed"
        result = Result(**json.loads(told))
        result.emitted = result.emitted or emitted
        expected = WARM + count
        assert result.delivered == expected, f"{name}: {result.delivered} delivered of {expected} events"
        return result, min(result.emitted)

    def measure(count: int) -> Run:
        before = stage.count_of(stage_.nginx[0])
        result, began = run(stage_.nginx[:targets], ("within", ahead), count)
        got = stage.count_of(stage_.nginx[0]) - before - 1
        assert got == WARM + count, f"{name}: the target got {got} requests of {WARM + count}"
        return Run(rate=count / (result.ended - began) * 1e9, cpu=result.cpu / count * 1e6)

    def trace(rate: float, count: int) -> list[float]:
        arrivals(stage_.sink)
        result, _ = run([stage_.sink], ("paced", rate), count)
        return delays(result.emitted, WARM, arrivals(stage_.sink))

    delayed = targets == 1 and ahead != BEHIND
    return Row(name=name, measure=measure, trace=trace, goal=goal, delayed=delayed)


def load(process: subprocess.Popen[str], count: int, rate: float) -> list[int]:
    """Feed an engine that listens: it says where, and when it is warm."""
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port, "the engine did not start"
    emitted: list[int] = []
    for first, many, pace in ((0, WARM, 0.0), (WARM, count, rate)):
        command = [sys.executable, "loader.py", port, str(first), str(many), str(pace)]
        with stage.running(command, stdout=subprocess.PIPE) as loader:
            told = loader.communicate(timeout=PATIENCE)[0]
        assert loader.returncode == 0, "the loader failed"
        emitted = json.loads(told)
        if first == 0:
            assert process.stdout.readline() == "warm\n"
    return emitted


def queue(peer: peers.Peer, stage_: Stage) -> Row:
    def trace(rate: float, count: int) -> list[float]:
        arrivals(stage_.sink)
        with peers.working(peer, stage_.sink) as worker:
            emitted = worker.produce(peers.WARM, count, rate)
        return delays(emitted, peers.WARM, arrivals(stage_.sink))

    def measure(count: int) -> Run:
        return peers.measure(peer, stage_.nginx[0], min(count, peers.JOBS))

    return Row(name=peer.name, measure=measure, trace=trace, peer=True)


def arrivals(sink: int) -> dict[str, int]:
    """Since the last call, by commit; nanoseconds of the monotonic clock."""
    with urllib.request.urlopen(f"http://127.0.0.1:{sink}/arrivals") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def delays(emitted: Sequence[int], first: int, arrived: dict[str, Any]) -> list[float]:
    """Milliseconds. Raises KeyError for an event that did not arrive."""
    return [(arrived[job.commit_of(first + n)] - at) / 1e6 for n, at in enumerate(emitted)]


@contextmanager
def open_stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(stage.nginx(folder, TARGETS))
        sink = stack.enter_context(stage.running([sys.executable, "sink.py"], stdout=subprocess.PIPE))
        assert sink.stdout is not None
        yield Stage(folder, ports, int(sink.stdout.readline()))


def rows(stage_: Stage, stack: ExitStack, words: Sequence[str]) -> list[Row]:
    """Those that can be had; why another one cannot is said."""

    def wanted(name: str) -> bool:
        return not words or any(word in name for word in words)

    found = sqlite_rows(stage_)
    try:
        if not words or any("postgres" in word for word in words):
            found += postgres_rows(stage_, stack)
    except stage.Missing as error:
        print(f"  left out, PostgreSQL: {error}")
    try:
        queues = [peer for peer in peers.BEST if wanted(peer.name)]
        if queues:
            peers.prepare()
        found += [queue(peer, stage_) for peer in queues]
    except stage.Missing as error:
        print(f"  left out, queue workers: {error}")
    return [row for row in found if wanted(row.name)]


def sqlite_rows(stage_: Stage) -> list[Row]:
    numbers = iter(range(1_000_000))

    def database() -> str:
        return f"sqlite:///{stage_.folder}/{next(numbers)}.db"

    name = "hookengine, sqlite"
    return [
        engine(f"{name}, in process", stage_, database, KEEPING_UP, "8,000/s"),
        engine(f"{name}, in process, {TARGETS} targets", stage_, database, KEEPING_UP, targets=TARGETS),
        engine(f"{name}, in process, {BEHIND:,} waiting", stage_, database, BEHIND),
        engine(f"{name}, over HTTP", stage_, database, 0, "3,500/s"),
    ]


def postgres_rows(stage_: Stage, stack: ExitStack) -> list[Row]:
    database = stack.enter_context(stage.postgres())
    name = "hookengine, postgres"
    return [
        engine(f"{name}, in process", stage_, database, KEEPING_UP, "4,000/s"),
        engine(f"{name}, in process, {BEHIND:,} waiting", stage_, database, BEHIND),
        engine(f"{name}, over HTTP", stage_, database, 0),
    ]


def throughput(chosen: Sequence[Row], events: int, rounds: int) -> None:
    runs: dict[str, list[Run]] = {row.name: [] for row in chosen}
    for number in range(rounds):
        for row in chosen:
            runs[row.name].append(row.measure(events))
            say(f"round {number + 1}: {row.name}: {runs[row.name][-1].rate:,.0f}/s")
    middle = {name: median_of(each) for name, each in runs.items()}
    best = max((middle[row.name].rate for row in chosen if row.peer), default=0.0)
    show(
        f"Deliveries a second, {events:,} events a run",
        ("design", "median (rounds)", "CPU us a delivery", "times the best queue worker", "goal"),
        [
            (
                row.name,
                f"{middle[row.name].rate:,.0f} ({', '.join(f'{run.rate:,.0f}' for run in runs[row.name])})",
                f"{middle[row.name].cpu:,.0f}",
                f"{middle[row.name].rate / best:.1f}" if best else "",
                row.goal,
            )
            for row in chosen
        ],
    )


def delay(chosen: Sequence[Row]) -> None:
    def of(row: Row, rate: float) -> str:
        traced = p50_p99(row.trace(rate, int(rate * SECONDS)))
        say(f"{row.name} at {rate:.0f}/s: {traced} ms")
        return traced

    show(
        "From emitting to arriving, p50 / p99 milliseconds (goal: p50 under 3 at light load)",
        ("design", f"{LIGHT:.0f} events/s", f"{STEADY:,.0f} events/s"),
        [(row.name, of(row, LIGHT), "" if row.peer else of(row, STEADY)) for row in chosen],
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("words", nargs="*")
    said = parser.parse_args()
    stage.pin(stage.REST)
    with ExitStack() as stack:
        try:
            stage_ = stack.enter_context(open_stage())
        except stage.Missing as error:
            print(f"end to end is left out: {error}")
            return
        chosen = rows(stage_, stack, said.words)
        if chosen:
            throughput(chosen, said.events, said.rounds)
        if delayed := [row for row in chosen if row.delayed]:
            delay(delayed)


if __name__ == "__main__":
    main()
