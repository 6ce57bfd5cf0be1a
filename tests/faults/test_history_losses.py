"""I1, I2 and I14: of each a violation that is found, and beside it what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.history import Emitted, Fate
from tests.faults.judging import attempt, broken, change, said, sent
from tests.faults.model import Run


@pytest.fixture
def run() -> Run:
    return Run()


def test_an_acknowledged_event_that_is_gone_is_lost(run: Run) -> None:
    run.arrive()
    sent(run)
    run.events.clear()

    assert "I1: evt_001 was acknowledged and is not there" in said(run)


def test_an_event_without_an_answer_need_not_be_there(run: Run) -> None:
    run.emit_in_vain(Fate.UNKNOWN)
    run.emit_in_vain(Fate.REFUSED)

    assert broken(run) == set()


def test_an_event_without_an_answer_may_be_there(run: Run) -> None:
    run.arrive()
    sent(run)
    run.emitted = [replace(told, fate=Fate.UNKNOWN, deliveries={}) for told in run.emitted]

    assert broken(run) == set()


def test_a_promised_delivery_that_is_gone_is_lost(run: Run) -> None:
    run.arrive()
    run.arrive(rank=2)
    sent(run)
    del run.deliveries["dlv_001"]

    assert said(run) == [
        "I1: evt_001 was acknowledged, and dlv_001, which hook hook_1 owes for it, is lost",
    ]


def test_what_was_pruned_is_not_lost(run: Run) -> None:
    run.arrive()
    sent(run)
    for rows in (run.events, run.deliveries, run.attempts, run.lanes):
        rows.clear()

    assert broken(run, forgotten_before=run.now) == set()
    assert broken(run) == {"I1", "I2"}


def test_a_second_delivery_for_one_event_and_hook_is_found(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    run.deliveries["dlv_002"]["event_id"] = "evt_001"

    assert "I1: hook hook_1 owes 2 deliveries for evt_001" in said(run)


@pytest.mark.parametrize("kind", ["replay_of", "repair_of"])
def test_a_replay_and_a_repair_are_no_second_delivery(run: Run, kind: str) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")
    run.deliveries["dlv_002"] |= {"event_id": "evt_001", kind: "dlv_001"}

    assert not [text for text in said(run) if "owes 2" in text]


def test_a_delivery_that_nobody_received_was_not_delivered(run: Run) -> None:
    run.arrive()
    sent(run)
    run.received.clear()

    assert "I1: dlv_001 is delivered, and nobody received it" in said(run)


def test_a_delivery_needs_an_attempt_that_says_so(run: Run) -> None:
    run.arrive()
    sent(run)
    attempt(run, "dlv_001")["verdict"] = "GiveUp"

    assert "I1: dlv_001 is delivered, and no attempt says so" in said(run)


@pytest.mark.parametrize("status", ["failed", "cancelled", "superseded"])
def test_what_was_taken_for_certain_did_not_fail(run: Run, status: str) -> None:
    run.arrive(policy="ordered")
    sent(run)
    run.deliveries["dlv_001"]["status"] = status

    assert f"I1: dlv_001 is {status}, and was taken by its receiver" in said(run)


def test_what_was_taken_may_fail_when_nobody_could_know(run: Run) -> None:
    run.arrive(policy="ordered")
    received = sent(run, "cut_off")
    change(run, received, status=200)
    run.cancel("dlv_001")

    assert broken(run) == set()


def test_a_refusal_may_fail(run: Run) -> None:
    run.arrive()
    sent(run, "refused")

    assert broken(run) == set()


def test_a_request_that_nobody_owes_is_invented(run: Run) -> None:
    run.arrive()
    run.received.append(replace(sent(run), delivery="dlv_999", number=2))
    run.received.append(replace(run.received[0], delivery="", number=3))

    assert said(run) == [
        "I2: dlv_999 was received and is not there",
        "I2: a request without a webhook-id was received and is not there",
    ]


@pytest.mark.parametrize(("fates", "what"), [([], "was never emitted"), ([Fate.REFUSED], "was refused")])
def test_an_event_that_nobody_got_in_is_invented(run: Run, fates: list[Fate], what: str) -> None:
    run.arrive()
    sent(run)
    run.emitted = [Emitted(event_id="evt_001", fate=fate, at=run.now) for fate in fates]

    assert said(run) == [f"I2: evt_001 {what}, and is there"]


def test_an_event_of_the_watchdog_is_emitted_by_nobody(run: Run) -> None:
    run.arrive()
    sent(run)
    run.emitted.clear()
    run.events[0]["type"] = "action.timed_out"

    assert broken(run) == set()


def test_a_delivery_without_its_event_is_invented(run: Run) -> None:
    run.arrive()
    sent(run)
    run.events.clear()
    run.emitted.clear()

    assert said(run) == ["I2: dlv_001 is owed for an event that is not there"]


def test_an_answer_that_nobody_gave_is_invented(run: Run) -> None:
    run.arrive()
    sent(run, "busy")
    sent(run)
    change(run, run.received[0], status=None)

    assert said(run) == ["I2: attempt 1 of dlv_001 was answered 429, which nobody answered"]


def test_an_answer_may_have_been_given_and_not_heard(run: Run) -> None:
    run.arrive()
    received = sent(run, "cut_off")
    change(run, received, status=200)
    sent(run)

    assert broken(run) == set()


def test_an_id_that_two_events_bear_is_found(run: Run) -> None:
    run.arrive()
    sent(run)
    run.events.append(dict(run.events[0]))

    assert said(run) == ["I14: there are 2 events evt_001"]


def test_different_answers_to_one_event_are_found(run: Run) -> None:
    run.arrive()
    sent(run)
    run.emitted.append(replace(run.emitted[0], deliveries={}))

    assert said(run) == ["I14: evt_001 was acknowledged with different answers"]


def test_different_bodies_under_one_id_are_found(run: Run) -> None:
    run.arrive()
    sent(run)
    run.emitted.append(replace(run.emitted[0], digest="another"))

    assert said(run) == ["I14: evt_001 was acknowledged with different bodies"]


def test_a_known_event_must_not_be_refused(run: Run) -> None:
    run.arrive()
    sent(run)
    run.emitted.append(replace(run.emitted[0], fate=Fate.REFUSED))

    assert said(run) == ["I14: evt_001 was refused, and acknowledged with the same body"]


def test_the_same_event_again_and_a_conflict_are_as_promised(run: Run) -> None:
    run.arrive(lost_answers=2)
    sent(run)
    run.emitted.append(run.emitted[-1])
    run.emitted.append(replace(run.emitted[0], fate=Fate.REFUSED, digest="another"))

    assert broken(run) == set()
