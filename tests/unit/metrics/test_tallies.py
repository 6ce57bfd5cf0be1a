from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.delivery import DeliveryStatus
from hookengine.engine import signals as names
from hookengine.engine.signals import Signals
from hookengine.metrics import Tallies
from tests.conftest import SLOWER, least_cpu


class Told:
    """Signals with tallies that listen to them."""

    def __init__(self, most_hosts: int = 200) -> None:
        self.signals = Signals()
        self.tallies = Tallies(self.signals, most_hosts)

    def finished(self, kind: str = "2xx", host: str = "a.example", seconds: float = 0.2) -> None:
        self.signals.announce(names.ATTEMPT_FINISHED, delivery="dlv_1", kind=kind, host=host, seconds=seconds)


@pytest.fixture
def told() -> Told:
    return Told()


def test_events_are_counted_by_whether_they_were_known(told: Told) -> None:
    told.signals.announce(names.EVENT_ACCEPTED, event="evt_1", matched=1)
    told.signals.announce(names.EVENT_ACCEPTED, event="evt_2", matched=0)
    told.signals.announce(names.EVENT_REPEATED, event="evt_1", matched=1)

    assert told.tallies.events.read() == {("accepted",): 2, ("repeated",): 1}


def test_deliveries_that_ended_are_counted_by_status_as_text_or_as_a_member(told: Told) -> None:
    for status in (DeliveryStatus.FAILED, "failed", "superseded"):
        told.signals.announce(names.DELIVERY_ENDED, delivery="dlv_1", status=status, because="")

    counts = told.tallies.ended.read()
    assert counts == {("cancelled",): 0, ("delivered",): 0, ("failed",): 2, ("superseded",): 1}


def test_attempts_are_counted_by_outcome_and_host(told: Told) -> None:
    for kind, host in (("2xx", "a.example"), ("5xx", "b.example"), ("2xx", "a.example")):
        told.finished(kind, host)

    assert told.tallies.attempts.read() == {("2xx", "a.example"): 2, ("5xx", "b.example"): 1}


def test_a_host_beyond_the_most_is_counted_with_the_others() -> None:
    told = Told(most_hosts=2)

    for host in ("a.example", "b.example", "c.example", "d.example", "a.example"):
        told.finished(host=host)

    counts = told.tallies.attempts.read()
    assert counts == {("2xx", "a.example"): 2, ("2xx", "b.example"): 1, ("2xx", "other"): 2}


def test_what_was_blocked_takes_no_name_from_those_that_are_called_and_no_time() -> None:
    told = Told(most_hosts=1)

    told.finished("blocked", "made-up.example")
    told.finished("2xx", "a.example", seconds=0.2)
    told.finished("blocked", "a.example")

    counts = told.tallies.attempts.read()
    assert counts == {("blocked", "other"): 1, ("2xx", "a.example"): 1, ("blocked", "a.example"): 1}
    assert told.tallies.attempt_seconds.sum == 0.2


def test_a_late_result_is_an_attempt_too(told: Told) -> None:
    told.signals.announce(
        names.ATTEMPT_LATE, delivery="dlv_1", kind="unknown", host="a.example", seconds=40.0
    )

    assert told.tallies.late.read() == {(): 1}
    assert told.tallies.attempts.read() == {("unknown", "a.example"): 1}
    assert told.tallies.attempt_seconds.sum == 40.0


def test_only_first_attempts_count_for_the_delay(told: Told) -> None:
    for attempt, waited in ((1, 0.25), (2, 60.0), (1, 0.5)):
        told.signals.announce(names.ATTEMPT_STARTED, delivery="dlv_1", attempt=attempt, waited=waited)

    assert told.tallies.delay_seconds.sum == 0.75
    assert told.tallies.delay_seconds.read()[-1] == ("+Inf", 2)


def test_a_wall_clock_set_back_does_not_make_a_delay_negative(told: Told) -> None:
    told.signals.announce(names.ATTEMPT_STARTED, delivery="dlv_1", attempt=1, waited=-3600.0)

    assert told.tallies.delay_seconds.sum == 0
    assert told.tallies.delay_seconds.read()[0] == ("0.005", 1)


@pytest.mark.parametrize(
    ("name", "facts", "tally"),
    [
        (names.ATTEMPT_RESCUED, {"delivery": "dlv_1"}, "rescued"),
        (names.REPAIR_OWED, {"delivery": "dlv_1"}, "repairs"),
        (names.LANE_CONTESTED, {"lane": "a lane", "because": ""}, "lanes_contested"),
        (names.ACTION_TIMED_OUT, {"action": "7"}, "actions_timed_out"),
    ],
)
def test_what_has_no_labels_is_counted(told: Told, name: str, facts: dict[str, Any], tally: str) -> None:
    before = getattr(told.tallies, tally).read()

    told.signals.announce(name, **facts)

    assert (before, getattr(told.tallies, tally).read()) == ({(): 0}, {(): 1})


def test_hooks_that_stop_are_counted_by_why(told: Told) -> None:
    told.signals.announce(names.HOOK_SWITCHED_OFF, hook="hook_1", because="410")
    told.signals.announce(names.HOOK_PAUSED, hook="hook_2", because="it only failed for 5 days")

    assert told.tallies.hooks_stopped.read() == {("gone",): 1, ("failing",): 1}


def test_circuits_that_open_are_counted_by_host_as_attempts_are() -> None:
    told = Told(most_hosts=1)
    told.finished(host="a.example")

    for host in ("a.example", "b.example"):
        told.signals.announce(names.CIRCUIT_OPENED, host=host, because="")

    assert told.tallies.circuits_opened.read() == {("a.example",): 1, ("other",): 1}


def test_failures_are_counted_by_what_was_being_done(told: Told) -> None:
    told.signals.announce(names.STORE_FAILED, doing="claiming", error="locked")
    told.signals.announce(names.STORE_FAILED, doing="recording a result", error="disk full at 7")
    told.signals.announce(names.WORKER_FAILED, doing="delivering", error="KeyError")

    assert told.tallies.store_failures.read() == {("claiming",): 1, ("recording a result",): 1}
    assert told.tallies.worker_failures.read() == {("delivering",): 1}


def test_upkeep_counts_runs_and_what_came_of_them(told: Told) -> None:
    for task, count in (("prune", 700), ("sweep", 0), ("prune", 1), ("sweep", 3)):
        told.signals.announce(names.UPKEEP_DONE, task=task, count=count)

    assert told.tallies.upkeep_runs.read() == {("prune",): 2, ("sweep",): 2}
    assert told.tallies.pruned.read() == {(): 701}
    assert told.tallies.mended.read() == {(): 3}


def test_a_commit_has_a_time_and_a_size(told: Told) -> None:
    told.tallies.on_commit(0.004, 3)
    told.tallies.on_commit(0.006, 60)

    assert told.tallies.commit_seconds.sum == pytest.approx(0.010)
    assert told.tallies.commit_sizes.sum == 63
    assert dict(told.tallies.commit_sizes.read())["4.0"] == 1


def test_what_nobody_counts_is_let_by(told: Told) -> None:
    told.signals.announce("hook.renamed", hook="hook_1")


def test_it_counts_until_it_is_closed(told: Told) -> None:
    told.tallies.close()

    told.finished()

    assert told.tallies.attempts.read() == {}


def test_the_tallies_of_two_engines_know_nothing_of_each_other() -> None:
    first, second = Told(), Told()

    first.finished()

    assert second.tallies.attempts.read() == {}


def test_listening_costs_little(told: Told) -> None:
    """The dearest signal: an attempt with outcome, host and time. On a machine with nothing else to do it takes
    one microsecond; the limit is five."""
    facts = {"delivery": "dlv_1", "kind": "2xx", "host": "a.example", "seconds": 0.2}

    def hear() -> None:
        for _ in range(50_000):
            told.tallies.hear(names.ATTEMPT_FINISHED, facts)

    assert least_cpu(hear, enough=0.25) < SLOWER * 0.25
