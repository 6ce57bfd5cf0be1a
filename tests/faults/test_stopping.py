"""Nodes that are told to stop. Row 50 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.faults.history import Fate
from tests.faults.proxy import Proxy
from tests.faults.stage import Node, Stage, happened
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import HANG, slow
from tests.postgres import PostgresServer

EVENTS = [happened(kind, number) for number in range(1, 161) for kind in ("started", "completed")]
SHORT = {"hookengine.app.engine:GRACE": 0.3}
"""Seconds that requests under way may take to end."""


def told_to_stop(node: Node) -> None:
    """Returns when it has begun to: then it hangs up on those who are silent."""
    place = urlsplit(node.url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as idle:
        node.terminate()
        assert idle.recv(1) == b""


def test_a_node_that_stops_under_load_repeats_nothing(stage: Stage) -> None:
    """SIGTERM while events come in and go out: what has begun ends, all else is left to the next node."""
    for hook in (statuses, in_order, free):
        stage.hook(hook)
    stage.target.plan(slow(0.05))
    node = stage.start()
    with ThreadPoolExecutor(1) as platform:
        emitting = platform.submit(stage.platform.emit_at_once, node.url, EVENTS)
        stage.target.wait_for_requests(20)
        node.terminate()
        assert node.end() == 0
        told = emitting.result()
    assert Fate.UNKNOWN in {one.fate for one in told}, "it was to stop before all had come"
    assert stage.rows("SELECT * FROM attempt WHERE finished_at IS NULL OR outcome <> 'Answered'") == []
    assert stage.rows("SELECT * FROM lane WHERE token IS NOT NULL") == []

    stage.target.clear()
    node = stage.start()
    stage.platform.emit_at_once(node.url, EVENTS)
    stage.quiet()

    assert stage.judge().duplicates == ()


def test_a_request_that_outlasts_the_grace_is_cut_off_and_sent_again(stage: Stage) -> None:
    """SIGTERM while a target does not answer."""
    stage.hook(in_order)
    stage.target.plan(HANG, times=1)
    node = stage.start(haste=SHORT)
    stage.accepted(happened("started", 1))
    stage.target.wait_for_requests(1)
    node.terminate()
    assert node.end() == 0
    assert stage.rows("SELECT outcome, closed_by FROM attempt") == [
        {"outcome": "Unknown", "closed_by": "holder"}
    ]

    stage.start()
    stage.quiet()

    assert stage.judge().statuses == {"delivered": 1}


def test_a_second_signal_ends_a_node_at_once(stage: Stage) -> None:
    """SIGTERM twice while a target does not answer."""
    stage.hook(in_order)
    stage.target.plan(HANG, times=1)
    node = stage.start()
    stage.accepted(happened("started", 1))
    stage.target.wait_for_requests(1)
    told_to_stop(node)
    node.terminate()
    assert node.die() == -signal.SIGTERM
    stage.let_leases_end()

    stage.start()
    stage.quiet()

    assert stage.judge().statuses == {"delivered": 1}


@pytest.fixture
def proxy(postgres_server: PostgresServer, stage: Stage) -> Iterator[Proxy]:
    """Between the nodes and their database."""
    with Proxy(("127.0.0.1", postgres_server.port)) as proxy:
        stage.url = stage.database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        yield proxy


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_node_stops_although_its_database_is_away(stage: Stage, proxy: Proxy) -> None:
    """SIGTERM while the database does not answer, with a request under way whose result nobody can record."""
    stage.hook(in_order)
    stage.target.plan(HANG, times=1)
    node = stage.start(haste={**SHORT, "hookengine.engine.worker:LAST_WORDS": 0.5})
    stage.accepted(happened("started", 1))
    stage.target.wait_for_requests(1)
    proxy.cut()
    stage.target.release()
    began = time.monotonic()
    node.terminate()
    assert node.end() == 0
    assert time.monotonic() - began < 10

    proxy.let_pass()
    stage.let_leases_end()
    stage.start()
    stage.quiet()

    assert [one.status for one in stage.target.received] == [200, 200]
    assert stage.judge().statuses == {"delivered": 1}
