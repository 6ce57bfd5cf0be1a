"""kill -9 at every step of an event's way. Rows 1 to 7 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.faults.history import Fate
from tests.faults.stage import SqliteFile, Stage, happened
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import APPLY_THEN_DROP, answer

KILLED = -signal.SIGKILL
LATER = {"waits": ["30s"], "jitter": 0}
"""Beyond the end of the test."""


def crash(stage: Stage, failpoint: str) -> None:
    """A node accepts an event about an action that started, and dies there. Its lease is not waited for."""
    node = stage.start(failpoints=failpoint)
    stage.emit(happened("started", 1))
    assert node.die() == KILLED
    stage.let_leases_end()


def crash_at_start(stage: Stage, failpoint: str) -> None:
    """A node finds what the last one left behind, and dies there."""
    assert stage.start(failpoints=failpoint, ready=False).die() == KILLED
    stage.let_leases_end()


def test_an_event_that_was_not_committed_was_not_accepted(stage: Stage) -> None:
    """Row 1: kill -9 before the commit of accept."""
    stage.hook(statuses)
    crash(stage, "accept.before_commit:kill@started-1")
    assert stage.platform.emitted[-1].fate is Fate.UNKNOWN

    stage.start()
    assert stage.rows("SELECT id FROM event") == []
    stage.accepted(happened("started", 1))
    stage.quiet()

    assert len(stage.target.received) == 1
    assert stage.judge().statuses == {"delivered": 1}


def test_an_event_that_was_committed_is_known_when_it_comes_again(stage: Stage) -> None:
    """Row 2: kill -9 after the commit of accept, before its answer."""
    stage.hook(statuses)
    crash(stage, "accept.after_commit:kill@started-1")
    assert stage.platform.emitted[-1].fate is Fate.UNKNOWN

    stage.start()
    stage.accepted(happened("started", 1))
    stage.quiet()

    assert len(stage.target.received) == 1
    assert stage.judge().statuses == {"delivered": 1}


def test_what_was_claimed_and_not_sent_is_sent_once(stage: Stage) -> None:
    """Row 3: kill -9 after the commit of a claim, before anything was sent. Here the lease is waited for."""
    stage.hook(statuses)
    stage.target.plan(answer(503), times=1)
    node = stage.start(failpoints="claim.after_commit:kill@started-1")
    stage.emit(happened("started", 1))  # a node that is slow to answer has died before
    assert node.die() == KILLED

    stage.start()
    stage.quiet()

    assert [one.status for one in stage.target.received] == [503, 200]
    assert stage.judge().statuses == {"delivered": 1}


def test_what_was_on_its_way_is_sent_again_as_it_was(stage: Stage) -> None:
    """Row 4: kill -9 after the bytes of the request, before its answer."""
    stage.hook(in_order)
    node = stage.start(failpoints="send.after_write:stop@started-1")
    stage.accepted(happened("started", 1))
    node.wait_until_stopped()
    stage.target.wait_for_requests(1)
    node.kill()
    stage.let_leases_end()

    stage.start()
    stage.quiet()

    first, second = stage.target.received
    assert (first.delivery, first.body, first.position) == (second.delivery, second.body, second.position)
    assert [one.excuse for one in stage.judge().duplicates] == ["its sender went away"]


def test_what_was_answered_and_not_recorded_is_sent_again(stage: Stage) -> None:
    """Row 5: kill -9 after the answer, before it was recorded."""
    stage.hook(in_order)
    crash(stage, "send.after_answer:kill@started-1")

    stage.start()
    stage.quiet()

    assert [one.status for one in stage.target.received] == [200, 200]
    assert stage.judge().statuses == {"delivered": 1}


def test_what_was_recorded_is_not_sent_again(stage: Stage) -> None:
    """Row 6: kill -9 after an answer was recorded, in the middle of a lane."""
    stage.hook(in_order)
    crash(stage, "finish.after_commit:kill@started-1")

    stage.start()
    stage.accepted(happened("completed", 1))
    stage.quiet()

    assert [one.status for one in stage.target.received] == [200, 200]
    assert stage.judge().duplicates == ()


def test_a_rescue_that_dies_is_done_by_the_next_one(stage: Stage) -> None:
    """Row 7: kill -9 in a rescue, before its commit and after."""
    stage.hook(statuses)
    crash(stage, "send.before_write:kill@started-1")
    crash_at_start(stage, "rescue.before_commit:kill")
    crash_at_start(stage, "rescue.after_commit:kill")

    stage.start()
    stage.quiet()

    assert len(stage.target.received) == 1
    outcomes = stage.rows("SELECT outcome, closed_by FROM attempt ORDER BY number")
    assert outcomes[:-1] == [{"outcome": "Unknown", "closed_by": "rescue"}] * 2
    assert stage.judge().statuses == {"delivered": 1}


def test_what_is_superseded_in_a_crash_is_superseded_once_it_is_committed(stage: Stage) -> None:
    """Row 7: kill -9 while a newer state takes the place of one that waits."""
    stage.hook(statuses, retry=LATER)
    stage.target.go_down()
    node = stage.start(failpoints="supersede.before_commit:kill")
    stage.accepted(happened("started", 1))
    node.wait_for("attempt.finished")
    stage.target.come_back()
    stage.emit(happened("completed", 1))
    assert node.die() == KILLED

    node = stage.start(failpoints="supersede.after_commit:kill")
    assert stage.statuses() == {"started-1": "retrying"}
    stage.emit(happened("completed", 1))
    assert node.die() == KILLED
    stage.let_leases_end()
    stage.start()
    stage.accepted(happened("completed", 1))
    stage.quiet()

    assert stage.statuses() == {"started-1": "superseded", "completed-1": "delivered"}
    assert [one.status for one in stage.target.received] == [200]
    stage.judge()


def test_a_repair_that_dies_on_its_way_into_the_lane_is_owed_by_the_next_node(stage: Stage) -> None:
    """Row 7: kill -9 in the transaction that owes a repair, before its commit and after."""
    stage.hook(statuses, retry=LATER)
    stage.settle = 8000  # longer than a node takes to start
    stage.target.plan(APPLY_THEN_DROP, text="started-1")
    node = stage.start(failpoints="repair.before_commit:kill")
    stage.accepted(happened("started", 1))
    node.wait_for("attempt.finished")
    stage.accepted(happened("completed", 1))
    assert node.die() == KILLED
    stage.let_leases_end()
    crash_at_start(stage, "repair.after_commit:kill")

    stage.start()
    stage.quiet()

    assert stage.rows("SELECT status FROM delivery WHERE repair_of IS NOT NULL") == [{"status": "delivered"}]
    assert [one.body.count("completed-1") for one in stage.target.received] == [0, 1, 1, 1]
    stage.judge()


@pytest.mark.parametrize("call", ["accept", "claim", "finish"])
def test_a_commit_whose_answer_is_lost_is_no_reason_to_send_twice(stage: Stage, call: str) -> None:
    """Row 13, from within: what was committed is not done again, and PostgreSQL is asked what that was."""
    stage.hook(in_order)
    stage.target.plan(answer(503), text="completed-1", times=1)
    stage.start(failpoints=f"{call}.after_commit:raise#1@completed-1")
    for event in (happened("started", 1), happened("completed", 1), happened("started", 2)):
        while stage.emit(event)[-1].fate is not Fate.ACKNOWLEDGED:
            pass  # any of them may share the transaction
    stage.quiet()

    assert Counter(one.status for one in stage.target.received) == {200: 3, 503: 1}
    assert stage.rows("SELECT * FROM attempt WHERE late_outcome IS NOT NULL") == []
    if not isinstance(stage.database, SqliteFile):
        assert stage.rows("SELECT * FROM attempt WHERE closed_by = 'rescue'") == []
    assert stage.judge().duplicates == ()


def test_pruning_that_dies_is_done_by_the_next_node_and_spares_what_is_owed(stage: Stage) -> None:
    """Rows 7 and 53: kill -9 in the middle of pruning, beside what is not delivered yet."""
    stage.hook(free, retry={"waits": ["500ms"], "jitter": 0})
    stage.target.plan(answer(429), text="completed-2")
    node = stage.start()
    stage.accepted(happened("completed", 1), happened("completed", 2))
    node.wait_for("delivery.ended")
    node.wait_for("attempt.finished", times=2)
    node.kill()
    stage.let_leases_end()
    quick = {"haste": {"hookengine.engine.upkeep:PRUNE_EVERY": 0.3}, "retention__delivered": "1ms"}
    assert stage.start(failpoints="prune.before_commit:kill", ready=False, **quick).die() == KILLED
    assert len(stage.rows("SELECT id FROM event")) == 2

    node = stage.start(**quick)
    node.wait_until(lambda: stage.statuses() == {"completed-2": "retrying"}, "the first event to be gone")
    assert stage.rows("SELECT id FROM event") == [{"id": "1:completed-2"}]
    stage.target.clear()
    node.wait_for("attempt.finished", verdict="accept")
    node.wait_until(lambda: stage.rows("SELECT id FROM event") == [], "both events to be gone")

    stage.forgotten_before = stage.history().read_at
    assert stage.target.received[-1].status == 200
    stage.judge()
