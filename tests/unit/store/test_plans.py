"""What runs all day finds its rows by an index: SQLite tells how it would run each statement."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hookengine.domain.capture import Capturing
from hookengine.domain.gate import TRIP_AFTER
from hookengine.domain.hook import HookState, LanePolicy
from hookengine.domain.retry import DAY
from hookengine.store.books.asks import Accept, Ask, Cancel, Claim, Finish, Release, Replay
from hookengine.store.calls import Leased, OwedEvent, OwedReplay, Report
from hookengine.store.care import FROM_THE_START, Horizon
from hookengine.store.cold import definitions, pruning, upkeep
from hookengine.store.sqlite import questions, transactions
from hookengine.store.sqlite.connection import SharedConnection, connect
from hookengine.store.sqlite.rows import STEPS
from tests.conftest import NOW, make_hook, make_request
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    delivered,
    owed,
    owed_delivery,
    refused,
    terms,
    timed_out,
    try_again,
)
from tests.definitions import define_here

SMALL = {"waited", "definitions", "sqlite_sequence"}
"""The names that lanes wait for, the table of one row, and that of a row for each table that counts up."""

READS_ALL = re.compile(r"SCAN (?!CONSTANT ROW)(?P<table>\S+)\b(?!\S| VIRTUAL TABLE)")


@pytest.fixture
def connection(database: Path) -> Iterator[SharedConnection]:
    connection = connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    yield connection
    connection.close()


class Tracing:
    """A database in use: what it runs, and which of that reads a whole table or sorts what it found."""

    def __init__(self, connection: SharedConnection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = connection
        self.statements: list[str] = []
        self.taken: set[type] = set()
        for step, take in STEPS.items():
            monkeypatch.setitem(transactions.STEPS, step, self._remembering(step, take))

    def _remembering(self, step: type, take: Callable[..., Any]) -> Callable[..., Any]:
        def taking(connection: sqlite3.Connection, asked: Any) -> Any:
            self.taken.add(step)
            return take(connection, asked)

        return taking

    def call(self, *asks: Ask) -> Any:
        return self.traced(lambda: transactions.run_group(self.connection, asks))[-1]

    def traced(self, run: Callable[[], Any]) -> Any:
        self.connection.set_trace_callback(self.statements.append)
        result = run()
        self.connection.set_trace_callback(None)
        return result

    def wrong(self, small: Collection[str] = SMALL) -> list[str]:
        """Of what ran since this was asked last; there must have been something."""
        ran, self.statements = self.statements, []
        assert ran
        return [told for statement in dict.fromkeys(ran) for told in self._wrong_with(statement, small)]

    def _wrong_with(self, statement: str, small: Collection[str]) -> list[str]:
        if statement.split()[0] in {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"}:
            return []
        plan = [row[3] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        scans = {found["table"] for step in plan if (found := READS_ALL.match(step))}
        sorts = not scans and any("TEMP B-TREE" in step for step in plan)
        return [f"{statement}: {plan}"] if sorts or scans.difference(small) else []


@pytest.fixture
def busy(connection: SharedConnection, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    """Behind a host, a credential and a paused hook wait lanes; another lane has an open doubt, and is leased."""
    tracing = Tracing(connection, monkeypatch)
    hooks = (make_hook(id="hook_1"), make_hook(id="hook_2"), make_hook(id="hook_3"))
    connection.lend(lambda lent: define_here(lent, hooks))
    connection.lend(lambda lent: definitions.switch(lent, "hook_2", HookState.PAUSED, "", NOW))
    for number in range(TRIP_AFTER):
        leased = _leased(tracing, f"failing_{number}", host="down")
        tracing.call(Finish(_failed(leased), NOW, NO_LEASE))
    tracing.call(Accept([_owed("behind a host", host="down")], NOW, terms()))
    tracing.call(Accept([_owed("behind a hook", hook_id="hook_2")], NOW, terms()))
    for name in ("within its rate", "beyond its rate"):
        tracing.call(Accept([_owed(name, rate="1/min", account="rated")], NOW, terms()))
    for name in "abcde":
        hook = "hook_2" if name in "abcd" else "hook_3"
        event = _owed(name, lane_key="shared", policy=LanePolicy.ORDERED, hook_id=hook)
        tracing.call(Accept([event], NOW, NO_LEASE))
    doubted = _leased(tracing, "doubted", lane_key="one")
    tracing.call(Accept([_owed("newer", lane_key="one")], NOW, NO_LEASE))
    tracing.call(Finish(timed_out(doubted, NOW, out_of_time=True), NOW, NO_LEASE))
    assert tracing.wrong() == []
    return tracing


def _owed(name: str, **changes: Any) -> OwedEvent:
    return owed(name, **{"action_id": name, "lane_key": name, **changes})


def _leased(tracing: Tracing, name: str, **changes: Any) -> Leased:
    """Accepted and taken at once."""
    leased: Leased
    (leased,) = tracing.call(Accept([_owed(name, **changes)], NOW, terms())).leased
    return leased


def _failed(leased: Leased) -> Report:
    return try_again(leased, NOW, after=DAY)


def accepting(busy: Tracing) -> None:
    unrenderable = owed_delivery("none", hook_id="hook_3", request=None, unrenderable="no")
    event = _owed("mixed", lane_key="one")
    both = owed("two", *event.deliveries, unrenderable, action_id="two")
    assert busy.call(Accept([both], NOW, terms())).leased
    assert not busy.call(Accept([both], NOW, terms())).accepted[0].fresh


def claiming(busy: Tracing) -> None:
    assert {leased.delivery_id for leased in busy.call(Claim(NOW, terms())).leased} == {"dlv_newer", "dlv_e"}
    rescued = busy.call(Claim(NOW + DAY, terms(100))).rescued
    assert set(rescued) == {"dlv_within its rate", "dlv_newer", "dlv_e"}


def keeping_leases(busy: Tracing) -> None:
    leased = _leased(busy, "held")
    assert busy.call(Claim(NOW + LEASE, terms(), {leased.token})).rescued


def finishing(busy: Tracing) -> None:
    leased = {leased.delivery_id: leased for leased in busy.call(Claim(NOW, terms())).leased}
    assert busy.call(Finish(delivered(leased["dlv_newer"], NOW), NOW, terms())).repair_id
    assert busy.call(Finish(refused(leased["dlv_e"], NOW, gone=True), NOW, terms())).notices


def finishing_late(busy: Tracing) -> None:
    leased = _leased(busy, "lost")
    busy.call(Claim(NOW + DAY, terms()))
    assert busy.call(Finish(delivered(leased, NOW + DAY), NOW + DAY, terms())).late


def releasing(busy: Tracing) -> None:
    busy.call(Release(_leased(busy, "given back").token, NOW, terms()))


def cancelling(busy: Tracing) -> None:
    asks = [Cancel(f"dlv_{name}", "a person said so", NOW, terms()) for name in ("a", "b", "newer")]
    assert busy.call(*asks) == "cancelled"


def replaying(busy: Tracing) -> None:
    busy.call(Finish(delivered(_leased(busy, "done"), NOW), NOW, NO_LEASE))
    assert busy.call(Replay(OwedReplay(id="dlv_again", replay_of="dlv_done"), NOW, terms())).leased


def capturing(busy: Tracing) -> None:
    request = make_request(capturing=Capturing(uses=("id",)))
    create = owed_delivery("create", lane_key="many", policy=LanePolicy.ORDERED, provides="id")
    use = owed_delivery("use", lane_key="many", policy=LanePolicy.ORDERED, part=1, request=request)
    (leased,) = busy.call(Accept([owed("many", create, use, action_id="many")], NOW, terms())).leased
    report = replace(delivered(leased, NOW), captured={"id": "17"})
    assert busy.call(Finish(report, NOW, terms())).following.captured == {"id": "17"}


HAPPENINGS = (
    accepting,
    claiming,
    keeping_leases,
    finishing,
    finishing_late,
    releasing,
    cancelling,
    replaying,
    capturing,
)


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_what_happens_all_day_reads_no_whole_table(
    busy: Tracing, happening: Callable[[Tracing], None]
) -> None:
    happening(busy)

    assert busy.wrong() == []


@pytest.mark.parametrize("happening", [accepting, finishing], ids=lambda happening: happening.__name__)
def test_no_row_that_is_written_costs_a_table_of_its_own(
    busy: Tracing, happening: Callable[[Tracing], None]
) -> None:
    happening(busy)

    writing = [said for said in busy.statements if said.split()[0] in {"INSERT", "UPDATE"}]
    assert {said.split()[2 if said.startswith("INSERT") else 1] for said in writing} >= {"delivery", "lane"}
    explained = {said: busy.connection.execute(f"EXPLAIN {said}").fetchall() for said in writing}
    assert [
        said for said, steps in explained.items() if any(step[1] == "OpenEphemeral" for step in steps)
    ] == []


def test_that_takes_every_step_there_is(busy: Tracing) -> None:
    keeping_leases(busy)
    replaying(busy)
    capturing(busy)

    assert busy.taken == set(STEPS)


def test_asking_when_something_is_due_reads_no_whole_table(busy: Tracing) -> None:
    due = busy.traced(lambda: busy.connection.lend(lambda lent: upkeep.next_due(lent, NOW)))

    assert due == NOW
    assert busy.wrong() == []


def test_remembering_reads_no_whole_table(busy: Tracing) -> None:
    _leased(busy, "known")

    remembered = busy.traced(
        lambda: questions.remember(busy.connection, ["1:evt_known"], [(1, "known"), (1, "unknown")])
    )

    assert (remembered.events.keys(), remembered.actions.keys()) == ({"1:evt_known"}, {(1, "known")})
    assert busy.wrong() == []


def test_pruning_reads_no_whole_table(busy: Tracing) -> None:
    busy.call(Finish(delivered(_leased(busy, "done"), NOW), NOW, terms()))
    horizon = Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + 2 * DAY)

    def prune(lent: Connection) -> int:
        gone, place = 0, FROM_THE_START
        while True:
            pruned = pruning.remove(lent, pruning.find(lent, horizon, 100, place), horizon, 100)
            gone += pruned.rows
            if pruned.left_off is None:
                return gone
            place = pruned.left_off

    gone = busy.traced(lambda: busy.connection.lend(prune))

    assert gone > 0
    few = {"gate", "replay"}  # those of a few days, and what people asked for
    assert busy.wrong({*SMALL, *few}) == []
