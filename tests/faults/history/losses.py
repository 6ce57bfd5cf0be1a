"""I1: nothing acknowledged is lost. I2: nothing is invented. I14: one event per id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.faults.history.facts import ENDED, Facts, in_doubt
from tests.faults.history.matching import recorded_status
from tests.faults.history.words import Fate, Violation

OF_THE_ENGINE = frozenset({"action.timed_out"})
"""Types of events that nobody emits: the engine's own watchdog makes them."""


def nothing_acknowledged_is_lost(facts: Facts) -> Iterator[Violation]:
    for told in facts.history.emitted:
        if told.fate is not Fate.ACKNOWLEDGED or facts.may_be_pruned(told.at):
            continue
        if told.event_id not in facts.events:
            yield Violation(
                invariant="I1", text=f"{told.event_id} was acknowledged and is not there", evidence=(told,)
            )
            continue
        for hook_id, delivery_id in told.deliveries.items():
            row = facts.deliveries.get(delivery_id)
            if row is None or (row["event_id"], row["hook_id"]) != (told.event_id, hook_id):
                text = f"{told.event_id} was acknowledged, and {delivery_id}, which hook {hook_id} owes for it, is lost"
                yield Violation(invariant="I1", text=text, evidence=(told,))


def one_delivery_per_event_and_hook(facts: Facts) -> Iterator[Violation]:
    firsts = [row for row in facts.rows.delivery if row["replay_of"] is None and row["repair_of"] is None]
    for (event_id, hook_id), count in Counter((row["event_id"], row["hook_id"]) for row in firsts).items():
        if count > 1:
            text = f"hook {hook_id} owes {count} deliveries for {event_id}"
            yield Violation(invariant="I1", text=text)


def what_was_delivered_was_received(facts: Facts) -> Iterator[Violation]:
    for row in facts.rows.delivery:
        if row["status"] != "delivered":
            continue
        if not facts.received.get(row["id"]):
            text = f"{row['id']} is delivered, and nobody received it"
            yield Violation(invariant="I1", text=text, evidence=(row,))
        elif not any(attempt["verdict"] == "Accept" for attempt in facts.attempts[row["id"]]):
            text = f"{row['id']} is delivered, and no attempt says so"
            yield Violation(invariant="I1", text=text, evidence=(row,))


def what_was_taken_does_not_end_otherwise(facts: Facts) -> Iterator[Violation]:
    """Unless it could not be known that it was taken."""
    for delivery_id, sendings in facts.sendings.items():
        row = facts.deliveries[delivery_id]
        taken = [
            one
            for one in sendings
            if one.received.applied_at is not None and 200 <= (one.received.status or 0) < 300
        ]
        if row["status"] not in ENDED - {"delivered"} or not taken:
            continue
        if not any(in_doubt(attempt) for attempt in facts.attempts[delivery_id]):
            text = f"{delivery_id} is {row['status']}, and was taken by its receiver"
            yield Violation(invariant="I1", text=text, evidence=tuple(taken))


def nothing_is_received_that_nobody_owes(facts: Facts) -> Iterator[Violation]:
    for delivery_id, received in facts.received.items():
        if delivery_id in facts.deliveries or facts.may_be_pruned(received[0].started_at):
            continue
        name = delivery_id or "a request without a webhook-id"
        yield Violation(
            invariant="I2", text=f"{name} was received and is not there", evidence=tuple(received)
        )


def nothing_is_owed_that_nobody_emitted(facts: Facts) -> Iterator[Violation]:
    fates: dict[str, set[Fate]] = defaultdict(set)
    for told in facts.history.emitted:
        fates[told.event_id].add(told.fate)
    for row in facts.rows.event:
        if row["type"] in OF_THE_ENGINE:
            continue
        if not fates[row["id"]] - {Fate.REFUSED}:
            what = "was refused" if fates[row["id"]] else "was never emitted"
            yield Violation(invariant="I2", text=f"{row['id']} {what}, and is there", evidence=(row,))
    for row in facts.rows.delivery:
        if row["event_id"] not in facts.events and not facts.may_be_pruned(row["accepted_at"]):
            yield Violation(
                invariant="I2", text=f"{row['id']} is owed for an event that is not there", evidence=(row,)
            )


def an_answer_that_was_recorded_was_given(facts: Facts) -> Iterator[Violation]:
    for delivery_id, attempts in facts.attempts.items():
        given = {one.status for one in facts.received.get(delivery_id, ())}
        for attempt in attempts:
            status = recorded_status(attempt)
            if status is not None and status not in given:
                text = f"attempt {attempt['number']} of {delivery_id} was answered {status}, which nobody answered"
                yield Violation(invariant="I2", text=text, evidence=(attempt,))


def an_id_means_one_event(facts: Facts) -> Iterator[Violation]:
    for event_id, count in Counter(row["id"] for row in facts.rows.event).items():
        if count > 1:
            yield Violation(invariant="I14", text=f"there are {count} events {event_id}")
    for event_id, told in facts.acknowledged.items():
        if len({one.digest for one in told}) > 1:
            text = f"{event_id} was acknowledged with different bodies"
            yield Violation(invariant="I14", text=text, evidence=tuple(told))
        if len({tuple(sorted(one.deliveries.items())) for one in told}) > 1:
            text = f"{event_id} was acknowledged with different answers"
            yield Violation(invariant="I14", text=text, evidence=tuple(told))
    for told_so in facts.history.emitted:
        same = [one for one in facts.acknowledged.get(told_so.event_id, ()) if one.digest == told_so.digest]
        if told_so.fate is Fate.REFUSED and same:
            text = f"{told_so.event_id} was refused, and acknowledged with the same body"
            yield Violation(invariant="I14", text=text, evidence=(told_so, *same))
