"""Rows 44 and 45 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import signal
import time

from tests.faults.stage import Stage, happened
from tests.faults.stage.database import is_quiet
from tests.faults.stage.script import free
from tests.faults.targets import slow

EVENTS = [happened("started", number) for number in range(1, 10)]


def deaths(stage: Stage, failpoints: str) -> int:
    """How often a node died until nothing was owed any more, being started again each time."""
    died = 0
    while True:
        node = stage.start(failpoints=failpoints, ready=False)
        stage.wait_until(lambda node=node: not node.running or is_quiet(stage.database), "an end")  # type: ignore[misc]
        if node.running:
            return died
        assert node.die() == -signal.SIGKILL
        stage.let_leases_end()
        died += 1


def test_an_event_that_nodes_die_of_fails_and_all_others_are_delivered(stage: Stage) -> None:
    """kill -9 whenever a certain event is sent, while others are under way."""
    stage.hook(free)
    stage.start(role="api")
    stage.accepted(*EVENTS)
    stage.node.kill()
    stage.target.plan(slow(0.1))

    assert deaths(stage, "send.before_write:kill@started-5") == 3

    (poison,) = stage.rows("SELECT * FROM delivery WHERE event_id = :key", key="1:started-5")
    assert (poison["status"], poison["strikes"]) == ("failed", 3)
    assert poison["because"] == "the node died 3 times while sending it"
    assert stage.received("started-5") == []
    assert stage.judge().statuses == {"delivered": 8, "failed": 1}


POISONOUS = {
    "too much work": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a | tojson }}",
    "too many rounds": "{% for x in action.many %}{% for y in action.many %}{{ y }}{% endfor %}{% endfor %}",
    "too much text": "{{ action.long }}" * 200,
    "nested too deep": "{% set a = [1] %}" + "{% set a = [a] %}" * 900 + "{{ a == a }}{{ a | tojson }}",
    "not there": "{{ action.nowhere }}",
    "no number": "{{ action.long // 1 }}",
}
MANY = {"many": list(range(900)), "long": "x" * 4_000}


def test_templates_that_cannot_be_rendered_fail_alone(stage: Stage) -> None:
    """Hooks whose templates crash or cost too much, beside one that is well: every event is accepted at once."""
    stage.hook(free)
    for name, template in POISONOUS.items():
        stage.hook(free, settings={"request_body": {"a": template}}, id=name.replace(" ", "-"))
    stage.start()
    began = time.monotonic()

    stage.accepted(*[happened("started", number, action=MANY) for number in range(1, 10)])
    took = time.monotonic() - began
    stage.wait_until(lambda: is_quiet(stage.database), "an end")

    failed = stage.rows("SELECT * FROM delivery WHERE status = 'failed'")
    assert len(failed) == 9 * len(POISONOUS)
    assert all("settings.request_body.a, line 1, column " in row["because"] for row in failed)
    assert all(stage.received(f"started-{number}") for number in range(1, 10))
    assert stage.judge().statuses == {"delivered": 9, "failed": 9 * len(POISONOUS)}
    assert took < 9 * len(POISONOUS) * 3 * 0.1
