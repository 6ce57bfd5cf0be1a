"""What runs all day finds its rows by an index: SQLite tells how it would run each statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hookengine.domain.attempt import Accept, Answered, Certainty
from hookengine.domain.event import Lifecycle
from hookengine.domain.hook import LanePolicy
from hookengine.store.contract import LeaseTerms, OwedDelivery, OwedEvent, Report
from hookengine.store.migrations import upgrade
from hookengine.store.sqlite import intake, upkeep, work
from hookengine.store.sqlite.store import connect
from tests.conftest import NOW, make_event, make_request

DAY = 86_400_000
TERMS = LeaseTerms(capacity=10, lease=50_000, settle=60_000)
NO_LEASE = LeaseTerms(capacity=0, lease=50_000, settle=60_000)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "hookengine.db"
    upgrade(f"sqlite:///{path}")
    connection = connect(path)
    yield connection
    connection.close()


def _scans(connection: sqlite3.Connection, run: Callable[[], object]) -> tuple[int, list[str]]:
    """How many statements ran, and those that read a whole table."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    run()
    connection.set_trace_callback(None)
    known = [statement for statement in statements if statement.split()[0] not in {"SAVEPOINT", "RELEASE"}]
    scanning = []
    for statement in known:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        if any(step.startswith("SCAN ") and step != "SCAN CONSTANT ROW" for step in plan):
            scanning.append(f"{statement}: {plan}")
    return len(known), scanning


def _owed(name: str) -> OwedEvent:
    delivery = OwedDelivery(
        id=f"dlv_{name}",
        hook_id="hook_1",
        hook_revision=1,
        lane_key="a commit",
        policy=LanePolicy.LATEST,
        request=make_request(name),
    )
    unrenderable = OwedDelivery(id=f"dlv_{name}_2", hook_id="hook_2", hook_revision=1, unrenderable="no")
    return OwedEvent(
        id=f"evt_{name}",
        event=make_event(id=f"evt_{name}", action_id=name, type=Lifecycle.STARTED),
        pipeline_id=1,
        digest=name,
        document="{}",
        answer="{}",
        context="{}",
        known_revision=0,
        deliveries=(delivery, unrenderable),
    )


def _report(token: int, certainty: Certainty) -> Report:
    verdict = Accept(because="200")
    return Report(
        token=token,
        outcome=Answered(status=200),
        certainty=certainty,
        verdict=verdict,
        finished_at=NOW,
    )


def test_accepting_scans_nothing(connection: sqlite3.Connection) -> None:
    ran, scanning = _scans(connection, lambda: intake.accept(connection, [_owed("a")], NOW, TERMS))

    assert ran > 0
    assert scanning == []


def test_claiming_and_rescuing_scan_nothing(connection: sqlite3.Connection) -> None:
    (leased,) = intake.accept(connection, [_owed("a")], NOW, TERMS).leased

    def claim() -> None:
        work.claim(connection, NOW + DAY, TERMS, {leased.token})
        rescued = work.claim(connection, NOW + 2 * DAY, TERMS)
        assert rescued.rescued == ("dlv_a",)

    ran, scanning = _scans(connection, claim)

    assert ran > 0
    assert scanning == []


@pytest.mark.parametrize("certainty", [Certainty.APPLIED, Certainty.DOUBTFUL])
def test_finishing_scans_nothing(connection: sqlite3.Connection, certainty: Certainty) -> None:
    (leased,) = intake.accept(connection, [_owed("a")], NOW, TERMS).leased
    report = _report(leased.token, certainty)

    ran, scanning = _scans(connection, lambda: work.finish(connection, report, NOW + 1, TERMS))

    assert ran > 0
    assert scanning == []


def test_a_late_result_scans_nothing(connection: sqlite3.Connection) -> None:
    (leased,) = intake.accept(connection, [_owed("a")], NOW, TERMS).leased
    work.claim(connection, NOW + DAY, TERMS)
    report = _report(leased.token, Certainty.APPLIED)

    ran, scanning = _scans(connection, lambda: work.finish(connection, report, NOW + DAY, TERMS))

    assert ran > 0
    assert scanning == []


def test_releasing_scans_nothing(connection: sqlite3.Connection) -> None:
    (leased,) = intake.accept(connection, [_owed("a")], NOW, TERMS).leased

    ran, scanning = _scans(connection, lambda: work.release(connection, leased.token, NOW + 1, TERMS))

    assert ran > 0
    assert scanning == []


def test_pruning_scans_nothing(connection: sqlite3.Connection) -> None:
    (leased,) = intake.accept(connection, [_owed("a")], NOW, TERMS).leased
    work.finish(connection, _report(leased.token, Certainty.APPLIED), NOW + 1, NO_LEASE)

    ran, scanning = _scans(connection, lambda: upkeep.prune(connection, NOW + DAY, NOW + DAY, 100))

    assert scanning == []
    assert ran >= 10
    assert connection.execute("SELECT count(*) FROM delivery").fetchone() == (0,)


def test_asking_what_is_due_scans_nothing(connection: sqlite3.Connection) -> None:
    ran, scanning = _scans(connection, lambda: upkeep.next_due(connection))

    assert ran == 1
    assert scanning == []
