"""Nobody reads the log, or nobody can. Row 52 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import fcntl
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import pytest

from tests.faults.history import Fate
from tests.faults.stage import Hatchery, Stage, happened, script
from tests.faults.stage.hatchery import Process

SMALL = 8192  # bytes that the pipe of a log holds
EVENTS = 40

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@dataclass(frozen=True, slots=True)
class Served:
    """A node of the stage, whose log was read until it listened; now that is up to the test."""

    process: Process
    log: TextIO
    url: str


@pytest.fixture
def served(stage: Stage, hatchery: Hatchery) -> Iterator[Served]:
    stage.hook(script.free)
    document = script.config(stage.url, stage.settle, stage.hooks, stage.settings)
    (stage.folder / "config.yaml").write_text(json.dumps(document), encoding="utf-8")
    process, log = hatchery.hatch(["serve", "--config", "config.yaml"], stage.folder, {}, script.HASTE)
    fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, SMALL)
    heard = (json.loads(line) for line in iter(log.readline, "") if line.startswith("{"))
    yield Served(process, log, next(line["url"] for line in heard if line["message"] == "server.listening"))
    process.send(signal.SIGKILL)
    process.wait()
    log.close()


def deliver_all(stage: Stage, served: Served) -> None:
    events = [happened("started", number) for number in range(EVENTS)]
    told = [stage.platform.emit(served.url, event) for event in events]
    stage.quiet()

    assert {one.fate for one in told} == {Fate.ACKNOWLEDGED}
    assert len(stage.target.received) == EVENTS
    assert stage.judge().delivered == EVENTS


def test_a_log_that_nobody_reads_holds_up_no_delivery(stage: Stage, served: Served) -> None:
    deliver_all(stage, served)

    served.process.send(signal.SIGTERM)
    said = [json.loads(line) for line in served.log.read().splitlines() if line.startswith("{")]

    assert served.process.wait() == 0
    assert [line for line in said if line["message"] == "log.lost" and line["lines"] > EVENTS]


def test_a_log_whose_reader_has_gone_holds_up_no_delivery(stage: Stage, served: Served) -> None:
    served.log.close()

    deliver_all(stage, served)

    served.process.send(signal.SIGTERM)
    assert served.process.wait() == 0
