"""I7 and I13: of each a violation that is found, and beside it what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.history import Row
from tests.faults.judging import attempt, broken, change, said, sent
from tests.faults.model import LEASE, SECOND, Run

GRACE = 5 * SECOND


@pytest.fixture
def run() -> Run:
    return Run()


def with_rows(run: Run, **rows: list[Row]) -> list[str]:
    return said(run, rows=replace(run.history().rows, **rows))


# I7


def test_an_attempt_before_its_time_is_found(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)
    attempt(run, "dlv_001", 2)["started_at"] -= 1

    assert said(run) == ["I7: attempt 2 of dlv_001 began 1 ms before its time"]


def test_an_attempt_later_than_its_time_is_as_promised(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    run.now += 100 * SECOND
    sent(run)

    assert broken(run) == set()


def test_after_a_rescue_there_is_no_time_to_wait_for(run: Run) -> None:
    run.arrive()
    sent(run, "killed")
    sent(run)

    assert broken(run) == set()


# I13


def test_what_waits_without_a_time_is_left_behind(run: Run) -> None:
    run.arrive()
    run.now += LEASE + GRACE
    assert broken(run) == set()

    run.now += 1
    assert said(run) == ["I13: dlv_001 is queued, and nothing happened to it for 55001 ms"]


def test_a_lease_that_nobody_ends_is_left_behind(run: Run) -> None:
    run.arrive()
    run._lease(run.lanes["main"], "a")
    run.now += 2 * LEASE + GRACE
    assert broken(run) == set()

    run.now += 1
    assert said(run) == ["I13: dlv_001 is sending, and nothing happened to it for 55001 ms"]


def test_what_waits_for_its_time_is_not_left_behind(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    run.lanes["main"]["due_at"] += 10 * LEASE
    run.now += 10 * LEASE

    assert broken(run) == set()


def test_what_waits_behind_a_head_is_not_left_behind(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    sent(run, "busy")
    run.lanes["main"]["due_at"] += 10 * LEASE
    run.now += 10 * LEASE
    assert broken(run) == set()

    run.now += 2 * LEASE
    assert {text.split()[1] for text in said(run)} == {"dlv_001", "dlv_002"}


def test_what_waits_for_a_gate_is_left_behind_once_that_is_open(run: Run) -> None:
    run.arrive()
    run.lanes["main"]["waits_for"] = "host:far"
    run.now += 10 * LEASE

    assert with_rows(run, gate=[{"key": "host:far", "open_at": run.now + LEASE}]) == []
    assert len(with_rows(run, gate=[{"key": "host:far", "open_at": run.now - 2 * LEASE}])) == 1
    assert len(with_rows(run, gate=[{"key": "host:near", "open_at": run.now + LEASE}])) == 1


def test_what_its_hooks_pause_holds_is_not_left_behind(run: Run) -> None:
    run.arrive()
    run.now += 10 * LEASE
    hook = {"id": "hook_1", "state": "paused", "off_at": -1}

    assert with_rows(run, hook=[hook]) == []
    assert len(with_rows(run, hook=[{**hook, "state": "active"}])) == 1
    assert len(with_rows(run, hook=[{**hook, "id": "hook_2"}])) == 1


def test_what_has_ended_may_be_as_old_as_it_likes(run: Run) -> None:
    run.arrive()
    change(run, sent(run))
    run.now += 1000 * LEASE

    assert broken(run) == set()
