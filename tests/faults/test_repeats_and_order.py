"""Events that come twice, at once, or in the wrong order. Rows 46 and 47 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import random

from tests.faults.history import Fate
from tests.faults.stage import Stage, happened
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import answer


def test_an_event_is_taken_once_however_often_it_comes(stage: Stage) -> None:
    """Row 46: the same key with the same body, with another one, and a hundred times at once."""
    stage.hook(free)
    node = stage.start()
    first, again = stage.emit(happened("started", 1), happened("started", 1))
    (other,) = stage.emit(happened("started", 1, occurred_at="2026-01-01T00:00:00Z"))
    crowd = stage.platform.emit_at_once(node.url, [happened("started", 2)] * 100)
    stage.quiet()

    assert (first.fate, again.fate, other.fate) == (Fate.ACKNOWLEDGED, Fate.ACKNOWLEDGED, Fate.REFUSED)
    assert first.deliveries == again.deliveries
    assert {one.fate for one in crowd} == {Fate.ACKNOWLEDGED}
    assert len(stage.target.received) == 2
    assert stage.judge().statuses == {"delivered": 2}


def test_the_newest_state_stays_in_whatever_order_events_come(stage: Stage) -> None:
    """Row 47: the end before the start, equal timestamps, and many at once about one commit."""
    stage.hook(statuses)
    stage.target.plan(answer(503), chance=0.2)
    node = stage.start()
    stage.accepted(happened("completed", 1), happened("started", 1))
    same_time = {"occurred_at": "2026-01-01T00:00:00Z"}
    stage.platform.emit_at_once(
        node.url, [happened("completed", 2, **same_time), happened("started", 2, **same_time)]
    )
    of_one_commit = [
        happened(kind, number, action={"commit": "c0ffee"})
        for number in range(3, 23)
        for kind in ("started", "completed")
    ]
    random.Random(47).shuffle(of_one_commit)  # noqa: S311  no secret
    told = stage.platform.emit_at_once(node.url, of_one_commit)
    stage.quiet()

    shown = {one.body.split('"description":"')[1].split('"')[0] for one in stage.target.shown().values()}
    assert shown == {"completed-1", "completed-2", "completed-22"}
    assert stage.statuses()["started-1"] == "superseded"
    assert {one.fate for one in told} == {Fate.ACKNOWLEDGED}
    stage.judge()


def test_what_happens_to_an_action_is_told_in_the_order_in_which_it_was_accepted(stage: Stage) -> None:
    """Row 47: many events at once about one action, to a target that fails now and then."""
    stage.hook(in_order)
    stage.target.plan(answer(503), chance=0.1)
    node = stage.start()
    events = [happened("started", 1, id=f"evt-{number}") for number in range(30)]
    stage.platform.emit_at_once(node.url, events)
    stage.quiet()

    accepted = stage.rows("SELECT id FROM delivery ORDER BY seq")
    taken = [one.delivery for one in stage.target.received if one.applied_at]
    assert taken == [row["id"] for row in accepted]
    assert len(taken) == 30
    stage.judge()
