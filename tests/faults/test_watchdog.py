"""What the engine does of its own accord: actions that nobody ends, and hooks that do nothing but fail."""

from __future__ import annotations

from tests.faults.stage import SqliteFile, Stage, happened
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import answer

WATCHFUL = {"hookengine.app.engine:WATCH_EVERY": 0.3}


def timed_out(stage: Stage) -> set[int]:
    """The actions that did, by number; none did twice."""
    rows = stage.rows(
        "SELECT a.action_id FROM event e JOIN action a ON a.first_seq = e.action_seq"
        " WHERE e.type = 'action.timed_out'"
    )
    actions = [int(row["action_id"]) for row in rows]
    assert len(set(actions)) == len(actions)
    return set(actions)


def test_an_action_that_never_ends_is_told_to_have_timed_out_once(stage: Stage) -> None:
    """However many nodes watch together; one that ended in time is left alone."""
    stage.settings["watchdog"] = {"after": "1s"}
    stage.hook(statuses)
    first = stage.start("first", haste=WATCHFUL)
    if not isinstance(stage.database, SqliteFile):
        stage.start("second", haste=WATCHFUL)
    stage.accepted(*[happened("started", number) for number in range(1, 6)], happened("completed", 5))
    stage.wait_until(lambda: timed_out(stage) == {1, 2, 3, 4}, "four to time out")
    stage.accepted(happened("started", 6), to=first)
    stage.wait_until(lambda: 6 in timed_out(stage), "another one to time out")
    stage.quiet()

    assert timed_out(stage) == {1, 2, 3, 4, 6}
    shown = {one.path[-1]: one.body for one in stage.target.shown().values()}
    assert {commit for commit, body in shown.items() if '"state":"error"' in body} == set("12346")
    assert '"state":"completed"' in shown["5"]
    stage.judge()


def test_a_hook_that_does_nothing_but_fail_is_paused_and_others_go_on(stage: Stage) -> None:
    """Also after a restart: its deliveries wait for a person."""
    stage.settings["delivery"] = {"pause_failing_after": "1s"}
    stage.hook(free)
    stage.hook(in_order)
    stage.target.plan(answer(503), path="/free/")
    node = stage.start()
    stage.accepted(happened("started", 1))
    paused = node.wait_for("hook.paused")
    stage.quiet()
    tried = len(stage.target.wait_for_requests(2, path="/free/"))

    stage.accepted(happened("completed", 1))
    stage.quiet()
    node.kill()
    stage.start()
    stage.accepted(happened("started", 2))
    stage.quiet()

    assert len(stage.target.wait_for_requests(0, path="/free/")) == tried
    assert len(stage.target.wait_for_requests(0, path="/ordered/")) == 3
    (hook,) = stage.rows("SELECT id, because FROM hook WHERE state = 'paused'")
    assert hook["id"] == paused["hook"]
    assert hook["because"].startswith("nothing but failures for too long")
    assert stage.judge().statuses == {"delivered": 3, "queued": 2, "retrying": 1}
