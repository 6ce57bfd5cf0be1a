"""All rules, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.faults.history import lanes, losses, order, repeats, timing
from tests.faults.history.facts import Facts
from tests.faults.history.words import History, Violation

Rule = Callable[[Facts], Iterator[Violation]]

RULES: tuple[Rule, ...] = (
    losses.nothing_acknowledged_is_lost,
    losses.one_delivery_per_event_and_hook,
    losses.what_was_delivered_was_received,
    losses.what_was_taken_does_not_end_otherwise,
    losses.nothing_is_received_that_nobody_owes,
    losses.nothing_is_owed_that_nobody_emitted,
    losses.an_answer_that_was_recorded_was_given,
    losses.an_id_means_one_event,
    repeats.duplicates_have_an_excuse,
    repeats.nothing_is_sent_after_its_end,
    repeats.one_id_means_one_request,
    repeats.a_repair_says_the_same,
    repeats.a_position_is_the_deliverys_own,
    repeats.every_request_has_its_attempt,
    repeats.attempts_are_counted_from_one,
    order.older_states_never_follow_newer_ones,
    order.nobody_overtakes,
    order.the_newest_state_is_shown,
    order.one_request_in_flight,
    order.one_attempt_at_a_time,
    timing.no_attempt_comes_before_its_time,
    timing.nothing_is_left_behind,
    lanes.lanes_have_the_heads_they_need,
    lanes.leases_have_their_attempt,
    lanes.one_waits_in_a_lane_of_the_latest,
    lanes.what_is_superseded_has_a_newer_one,
    lanes.what_has_ended_has_an_end,
    lanes.what_has_finished_says_how,
    lanes.repairs_answer_doubts,
)


def check(history: History) -> list[Violation]:
    """Everything that is wrong with a run; nothing if it went as promised."""
    facts = Facts(history)
    return [violation for rule in RULES for violation in rule(facts)]
