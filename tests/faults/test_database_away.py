"""A PostgreSQL that restarts, does not answer, or loses connections. Rows 11 to 13 of the fault matrix."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.history import Emitted, Fate
from tests.faults.own_database import OwnDatabase
from tests.faults.proxy import Proxy
from tests.faults.stage import Hatchery, Node, Stage, happened
from tests.faults.stage.platform import EventText
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import HANG
from tests.postgres import PostgresServer, SharedDatabase

SOON = 10.0
"""Seconds within which everybody is answered, and everything goes on."""
HURRIED = {"hookengine.store.postgres.waiting:PATIENCE": 1.0}
RARELY = {"hookengine.app.parts:POLL": 60_000}
"""Then nothing but what is asked for is committed."""


@pytest.fixture
def stage(tmp_path: Path, postgres_database: SharedDatabase, hatchery: Hatchery) -> Iterator[Stage]:
    with Stage(tmp_path, postgres_database, hatchery) as stage:
        yield stage


@pytest.fixture
def proxy(postgres_server: PostgresServer, stage: Stage) -> Iterator[Proxy]:
    """Between the nodes and their database."""
    with Proxy(("127.0.0.1", postgres_server.port)) as proxy:
        stage.url = stage.database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        yield proxy
        proxy.let_pass()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be restarted."""
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture
def restarting(tmp_path: Path, server: PostgresServer, hatchery: Hatchery) -> Iterator[Stage]:
    with OwnDatabase(server) as database, Stage(tmp_path, database, hatchery) as stage:
        yield stage


def status_of(node: Node, path: str) -> int:
    return _get(node, path)[0]


def figure(node: Node, name: str) -> float:
    """A number among a node's metrics."""
    found = re.search(rf"^hookengine_{name} (\S+)$", _get(node, "/metrics")[1], re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def _get(node: Node, path: str) -> tuple[int, str]:
    place = urlsplit(node.url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=2 * SOON)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def emit_until_acknowledged(stage: Stage, events: Sequence[EventText], seconds: float = 4 * SOON) -> None:
    """As a platform does that wants to be sure."""
    deadline = time.monotonic() + seconds
    for event in events:
        while stage.emit(event)[0].fate is not Fate.ACKNOWLEDGED:
            assert time.monotonic() < deadline, f"{event['id']} was not taken"


@contextmanager
def load(stage: Stage, first: int, last: int) -> Iterator[None]:
    """Events about these actions come in meanwhile, from four places at once."""
    with ThreadPoolExecutor(4) as pool:
        places: list[Future[None]] = []
        for place in range(4):
            actions = range(first + place, last, 4)
            events = [happened(kind, action) for action in actions for kind in ("started", "completed")]
            places.append(pool.submit(emit_until_acknowledged, stage, events))
        yield
        for emitting in places:
            emitting.result()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_after_a_restart_of_the_database_everything_goes_on(
    mode: str, server: PostgresServer, restarting: Stage
) -> None:
    """Row 11: emits are refused or taken after a while, and the loops connect again by themselves."""
    stage = restarting
    stage.hook(statuses)
    stage.hook(in_order)
    node = stage.start(haste=HURRIED)
    other = stage.start("other", haste=HURRIED)
    with load(stage, 100, 130):
        stage.target.wait_for_requests(20)
        server.stop(mode)
        away = [
            Asked(lambda: status_of(node, "/readyz")),
            Asked(lambda: status_of(other, "/readyz")),
            Asked(lambda: stage.emit(happened("started", 1), to=node)[0].fate),
        ]
        assert [asked.answer() for asked in away] == [503, 503, Fate.UNKNOWN]
        assert max(asked.took for asked in away) < SOON
        server.start()
        back = time.monotonic()
    for each in (node, other):
        stage.wait_until(lambda each=each: status_of(each, "/readyz") == 200, "ready", SOON)
    emit_until_acknowledged(stage, [happened("started", 1)])
    stage.quiet(SOON)

    assert time.monotonic() - back < SOON
    assert stage.judge().statuses["delivered"] >= 90


class Asked:
    """A question in a thread of its own; `took` is in seconds."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._found: list[object] = []
        self.took = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def answer(self) -> object:
        self._thread.join(4 * SOON)
        return self._found[0]

    def _run(self) -> None:
        begins = time.monotonic()
        try:
            self._found.append(self._ask())
        except OSError as error:
            self._found.append(error)
        self.took = time.monotonic() - begins


def test_nobody_waits_for_ever_for_a_database_that_does_not_answer(stage: Stage, proxy: Proxy) -> None:
    """Row 12: packets vanish. Emits are told so, the heartbeat shows it, and afterwards all is delivered."""
    stage.hook(free)
    stage.target.plan(HANG, text="started-1", times=1)
    node = stage.start()
    stage.accepted(happened("started", 1))
    stage.target.wait_for_requests(1)

    proxy.stall()
    stage.target.release()  # and what was answered cannot be recorded
    emits = [Asked(lambda n=n: stage.emit(happened("started", n))[0].fate) for n in range(2, 12)]
    red = Asked(lambda: status_of(node, "/readyz"))
    age = Asked(lambda: figure(node, "worker_heartbeat_age_seconds") > 1)  # it waits for the store's figures
    assert {asked.answer() for asked in emits} == {Fate.UNKNOWN}
    assert (red.answer(), age.answer()) == (503, True)
    assert max(asked.took for asked in (*emits, red)) < SOON
    assert figure(node, "store_up") == 0

    proxy.let_pass()
    stage.wait_until(lambda: status_of(node, "/readyz") == 200, "ready", SOON)
    emit_until_acknowledged(stage, [happened("started", n) for n in range(2, 12)])
    stage.quiet()

    assert figure(node, "worker_heartbeat_age_seconds") < 1.5
    assert stage.judge().statuses == {"delivered": 11}


def test_an_event_whose_commit_was_not_answered_is_there_once(stage: Stage, proxy: Proxy) -> None:
    """Row 13, accept: the connection is cut after COMMIT has left."""
    stage.hook(in_order)
    node = stage.start(haste=RARELY)
    proxy.cut_after(b"COMMIT")

    told: list[Emitted] = stage.emit(happened("started", 1))
    assert proxy.struck.is_set()
    told += stage.emit(happened("started", 1))
    stage.quiet()

    assert [one.fate for one in told] == [Fate.ACKNOWLEDGED] * 2
    assert told[0].deliveries == told[1].deliveries
    assert len(node.heard("event.accepted")) == 1
    assert [row["id"] for row in stage.rows("SELECT id FROM event")] == ["1:started-1"]
    assert len(stage.target.received) == 1
    assert stage.judge().duplicates == ()


def test_a_result_whose_commit_was_not_answered_is_recorded_once(stage: Stage, proxy: Proxy) -> None:
    """Row 13, finish: there is one request, and the lane goes on."""
    stage.hook(in_order)
    stage.target.plan(HANG, text="started", times=1)
    stage.start(haste=RARELY)
    stage.accepted(happened("started", 1), happened("completed", 1))
    stage.target.wait_for_requests(1)

    proxy.cut_after(b"COMMIT")
    stage.target.release()
    stage.quiet()

    assert proxy.struck.is_set()
    assert [one.status for one in stage.target.received] == [200, 200]
    found = stage.rows("SELECT closed_by, late_outcome FROM attempt")
    assert found == [{"closed_by": "holder", "late_outcome": None}] * 2
    assert stage.judge().duplicates == ()
