"""The judge finds nothing in runs that went as promised, and something in each that was tampered with."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.history import check, summarise
from tests.faults.judging import broken
from tests.faults.model import Run
from tests.faults.model.strategies import RUNS
from tests.faults.model.tampering import TAMPERINGS

AT_EASE = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


@settings(AT_EASE, max_examples=100)
@given(RUNS, st.data())
def test_what_is_missing_from_rows_does_not_stop_the_judge(run: Run, data: st.DataObject) -> None:
    for table, columns in NULLABLE.items():
        rows = getattr(run, table)
        for row in rows.values() if isinstance(rows, dict) else rows:
            row.update(dict.fromkeys(data.draw(st.sets(st.sampled_from(columns), max_size=2))))

    check(run.history())


def test_every_tampering_is_noticed() -> None:
    tampered = Counter[str]()

    @settings(AT_EASE, max_examples=60, derandomize=True)  # it counts what it meets
    @given(RUNS)
    def tamper_with(run: Run) -> None:
        for tamper, expected in TAMPERINGS.items():
            changed = deepcopy(run)
            if tamper(changed):
                tampered[tamper.__name__] += 1
                assert broken(changed) & expected, tamper.__name__

    tamper_with()
    assert {tamper.__name__ for tamper in TAMPERINGS} - set(tampered) == set()
