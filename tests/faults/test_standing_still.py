"""Nodes that stand still for longer than their leases. Rows 9 and 10 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import pytest

from tests.faults.stage import Node, SqliteFile, Stage, happened
from tests.faults.stage.script import in_order, statuses

shared = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def relieved(stage: Stage, failpoint: str) -> Node:
    """A node that has stood still at this point for as long as another one has needed to take over from it,
    to deliver that an action started, and then that it completed."""
    stage.hook(statuses)
    standing = stage.start("standing", failpoints=f"{failpoint}:stop@started-1")
    relief = stage.start("relief")
    stage.accepted(happened("started", 1), to=standing)
    standing.wait_until_stopped()
    relief.wait_for("attempt.rescued")
    relief.wait_for("delivery.ended", status="delivered")
    stage.accepted(happened("completed", 1), to=relief)
    relief.wait_for("delivery.ended", times=2, status="delivered")
    return standing


def first_attempt(stage: Stage) -> dict[str, object]:
    (attempt,) = stage.rows(
        "SELECT a.* FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
        " WHERE d.event_id = :key AND a.number = 1",
        key="1:started-1",
    )
    return attempt


@shared
def test_a_result_that_comes_after_another_node_took_over_is_kept_and_changes_nothing(stage: Stage) -> None:
    """Row 9: SIGSTOP after the request was written, for longer than the lease."""
    standing = relieved(stage, "send.after_write")
    standing.go_on()
    standing.wait_for("attempt.late")
    stage.quiet()

    attempt = first_attempt(stage)
    assert (attempt["outcome"], attempt["closed_by"]) == ("Unknown", "rescue")
    assert attempt["late_outcome"] in ("Answered", "TimedOut")
    assert len(stage.received("started-1")) == 2
    (shown,) = stage.target.shown().values()
    assert "completed-1" in shown.body
    assert stage.judge().statuses == {"delivered": 3}, "one of them is the repair"


@shared
def test_what_a_node_sends_long_after_its_lease_is_put_right(stage: Stage) -> None:
    """Row 9: SIGSTOP between the last look at the lease and the write. Nothing can prevent that."""
    standing = relieved(stage, "send.after_check")
    standing.go_on()
    standing.wait_for("attempt.late")
    stage.quiet()

    assert [one.body.count("started-1") for one in stage.target.received] == [1, 0, 1, 0]
    assert first_attempt(stage)["late_outcome"] is not None
    (shown,) = stage.target.shown().values()
    assert "completed-1" in shown.body
    assert stage.judge().sends_inside_a_pause == 1


@shared
def test_a_node_that_wakes_up_before_it_looks_at_its_lease_sends_nothing(stage: Stage) -> None:
    """Row 9: SIGSTOP before the last look at the lease."""
    standing = relieved(stage, "send.before_write")
    standing.go_on()
    stage.accepted(happened("started", 2), to=standing)
    standing.wait_for("delivery.ended", status="delivered")
    stage.quiet()

    assert len(stage.received("started-1")) == 1
    stage.judge()


def test_a_lease_that_ends_before_its_request_is_written_is_not_used(stage: Stage) -> None:
    """Row 10: what commits, or the event loop of a node beside another one, is blocked for that long."""
    stage.hook(statuses)
    blocked = stage.start("blocked", failpoints="accept.after_commit:sleep(2.5)@started-1")
    if not isinstance(stage.database, SqliteFile):
        stage.start("relief")
    stage.accepted(happened("started", 1), to=blocked)
    stage.quiet()

    assert len(stage.target.received) == 1
    assert stage.judge().statuses == {"delivered": 1}


def test_a_node_that_is_blocked_with_a_request_under_way_records_what_became_of_it(stage: Stage) -> None:
    """Row 10: the event loop is blocked while a target answers; alone, nobody takes the lease away."""
    stage.hook(in_order)
    alone = isinstance(stage.database, SqliteFile)
    blocked = stage.start("blocked", failpoints="send.after_write:sleep(2.5)#1@started-1")
    if not alone:
        stage.start("relief")
    stage.accepted(happened("started", 1), happened("completed", 1), to=blocked)
    blocked.wait_for("attempt.finished" if alone else "attempt.late", event="started-1")
    stage.quiet()

    rescued = stage.rows("SELECT late_outcome FROM attempt WHERE closed_by = 'rescue'")
    assert len(rescued) == (0 if alone else 1)
    assert all(row["late_outcome"] for row in rescued)
    assert stage.judge().statuses == {"delivered": 2}
