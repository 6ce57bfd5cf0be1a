from __future__ import annotations

from tests.faults.history import Duplicate, Fate, summarise
from tests.faults.judging import sent
from tests.faults.model import Run


def test_a_run_is_summed_up() -> None:
    run = Run()
    run.arrive(rank=1, lost_answers=2)
    run.send(how="stopped")
    sent(run, "cut_off")
    run.arrive(rank=2)
    sent(run, "cut_off")
    sent(run)
    run.arrive("line", policy="ordered")
    sent(run, "refused", lane="line")
    run.emit_in_vain(Fate.UNKNOWN)
    run.emit_in_vain(Fate.REFUSED)
    run.come_to_rest()

    ledger = summarise(run.history())

    assert (ledger.emitted, ledger.fates) == (5, {"acknowledged": 3, "unknown": 1, "refused": 1})
    assert (ledger.delivered, ledger.superseded, ledger.failed, ledger.repairs) == (2, 1, 1, 1)
    assert (ledger.requests, ledger.sends_inside_a_pause) == (6, 1)
    assert ledger.duplicates == (
        Duplicate(delivery="dlv_001", excuse="its sender stood still"),
        Duplicate(delivery="dlv_002", excuse="Unreachable, doubtful"),
    )
    assert (ledger.lost, ledger.out_of_order, ledger.violations) == (0, 0, {})
    assert str(ledger).splitlines() == [
        "events      5: 3 acknowledged, 1 refused, 1 unknown",
        "deliveries  2 delivered, 1 failed, 1 superseded; 1 are repairs",
        "requests    6, 1 by senders that had stood still",
        "duplicates  2: 1 Unreachable, doubtful, 1 its sender stood still",
        "violations  none",
    ]


def test_what_is_wrong_is_counted() -> None:
    run = Run()
    run.arrive()
    sent(run)
    run.received.clear()

    ledger = summarise(run.history())

    assert ledger.lost == 1
    assert str(ledger).splitlines()[-1] == "violations  1 I1, 1 I2"


def test_a_duplicate_without_an_excuse_is_named() -> None:
    run = Run()
    run.arrive()
    sent(run, "cut_off")
    sent(run)
    run.attempts[0]["certainty"] = "refused"

    assert summarise(run.history()).duplicates == (Duplicate(delivery="dlv_001", excuse=None),)
