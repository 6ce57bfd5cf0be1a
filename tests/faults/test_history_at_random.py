"""The judge finds nothing in runs that went as promised, and something in each that was tampered with."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.history import check, summarise
from tests.faults.judging import broken
from tests.faults.model import Run
from tests.faults.model.strategies import RUNS
from tests.faults.model.tampering import TAMPERINGS, Tamper

AT_EASE = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@AT_EASE
@given(RUNS)
def test_a_correct_run_has_no_violations(run: Run) -> None:
    history = run.history()

    assert [str(violation) for violation in check(history)] == []
    assert all(duplicate.excuse for duplicate in summarise(history).duplicates)


NULLABLE = {
    "deliveries": ("lane_id", "ended_at", "superseded_by", "number"),
    "attempts": (
        "finished_at",
        "outcome",
        "detail",
        "certainty",
        "verdict",
        "next_at",
        "closed_by",
        "late_outcome",
        "late_at",
    ),
    "lanes": ("head_id", "token", "scope", "waits_for"),
}


@settings(AT_EASE, max_examples=50)
@given(RUNS, st.data())
def test_what_is_missing_from_rows_does_not_stop_the_judge(run: Run, data: st.DataObject) -> None:
    for table, columns in NULLABLE.items():
        rows = getattr(run, table)
        for row in rows.values() if isinstance(rows, dict) else rows:
            row.update(dict.fromkeys(data.draw(st.sets(st.sampled_from(columns), max_size=2))))

    check(run.history())


@settings(AT_EASE, max_examples=40)
@given(RUNS)
def test_tampering_is_noticed(run: Run) -> None:
    for tamper, expected in TAMPERINGS.items():
        changed = deepcopy(run)
        if tamper(changed):
            assert broken(changed) & expected, tamper.__name__


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_every_tampering_is_possible_and_noticed(tamper: Tamper) -> None:
    run = Run()
    for lane in ("one", "other"):
        run.arrive(lane, rank=1)
        run.send(lane, "taken")
        run.arrive(lane, rank=2)
        run.send(lane, "busy" if lane == "one" else "taken")
    run.arrive("doubtful", rank=1)
    run.send("doubtful", "late")
    run.arrive("doubtful", rank=2)
    run.come_to_rest()
    assert broken(run) == set()

    assert tamper(run)
    assert broken(run) & TAMPERINGS[tamper]
