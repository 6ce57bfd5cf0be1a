"""Nodes that are short of something. Rows 51 and 52 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import resource

import pytest

from tests.faults.history import Fate
from tests.faults.stage import Stage, happened
from tests.faults.stage.script import free
from tests.faults.targets import slow

FILES = 64
EVENTS = [happened("started", number) for number in range(1, 101)]


def test_deliveries_go_on_when_nobody_takes_the_log(stage: Stage) -> None:
    """Row 52: stderr is closed."""
    stage.hook(free)
    node = stage.start()
    node.run.deaf = True
    stage.accepted(*EVENTS[:10])
    stage.quiet()
    node.terminate()
    assert node.end() == 0

    assert stage.judge().statuses == {"delivered": 10}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_node_without_files_left_delivers_everything_in_the_end(stage: Stage) -> None:
    """Row 51: 64 files, and more connections wanted than that, on both sides."""
    stage.settings["delivery"] = {"per_host": 200, "per_hook": 200}
    stage.hook(free)
    stage.target.plan(slow(0.3))
    node = stage.start()
    resource.prlimit(node.run.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    missing = EVENTS
    while missing:
        told = stage.platform.emit_at_once(node.url, missing)
        missing = [event for event, one in zip(missing, told, strict=True) if one.fate is Fate.UNKNOWN]
    stage.quiet()

    assert node.heard("attempt.finished", verdict="try_again"), "it was to run out of files"
    assert node.heard("circuit.opened") == []
    assert max(len(one.beside) for one in stage.target.received) < FILES
    assert stage.judge().statuses == {"delivered": len(EVENTS)}
