"""Events by the thousand, and a handful of troubles for every thousand; then quiet, and the judge."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from threading import Event

from tests.faults.history import Fate, Ledger, Violation, check, summarise
from tests.faults.soaking.plan import Event as EventText
from tests.faults.soaking.plan import Plan
from tests.faults.soaking.troubles import Restart, Troubles
from tests.faults.stage import Node, Stage
from tests.faults.stage.script import free, in_order, statuses
from tests.faults.targets import APPLY_THEN_DROP, RESET_AFTER_READING, RESET_AT_ONCE, answer, slow

RETRY = {"waits": ["100ms", "200ms", "400ms", "800ms", "2s", "4s"], "jitter": 0.2}
ACCEPTING = {"all", "api"}
BAD_DAYS = (
    (answer(503), 0.03),
    (APPLY_THEN_DROP, 0.015),
    (RESET_AT_ONCE, 0.015),
    (RESET_AFTER_READING, 0.015),
    (slow(0.3), 0.01),
    (slow(1.5), 0.002),  # longer than the engine waits
)
"""What the target does instead of answering, and how often."""
LAG = 1_000.0
"""Milliseconds that a target beside so much else may take to notice something."""
CLOCK = 10.0
"""Milliseconds by which a transaction may be late to look at the clock, on a machine this busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """`quiet`: whether all was delivered in time. The times are in seconds."""

    ledger: Ledger
    violations: Sequence[Violation]
    quiet: bool
    troubles: Mapping[str, int]
    emitting: float
    settling: float
    judging: float

    @property
    def right(self) -> bool:
        return self.quiet and not self.violations

    def __str__(self) -> str:
        done = ", ".join(f"{count} x {name}" for name, count in sorted(self.troubles.items()))
        took = (
            f"{self.emitting:.1f} s to emit, {self.settling:.1f} s until quiet, {self.judging:.1f} s to judge"
        )
        return "\n".join(
            (
                f"troubles    {done or 'none'}",
                f"took        {took}",
                str(self.ledger),
                f"lost        {self.ledger.lost}",
                f"disorder    {self.ledger.out_of_order}",
                f"quiet       {'yes' if self.quiet else 'NO: deliveries are still owed'}",
            )
        )


def soak(stage: Stage, plan: Plan, restart: Restart | None = None) -> Soaked:
    """On a stage that has begun and has no hooks yet. `restart`, if given, is called once in the middle."""
    _set_up(stage, plan)
    troubles = Troubles(stage, plan.nodes, Random(plan.seed), restart)  # noqa: S311  no secret
    began = time.monotonic()
    _tell(stage, plan, troubles)
    told = time.monotonic()
    quiet = _becomes_quiet(stage, plan.patience)
    settled = time.monotonic()
    history = stage.history()
    history = replace(history, limits=replace(history.limits, lag=LAG, clock=CLOCK))
    violations, ledger = check(history), summarise(history)
    return Soaked(
        ledger=ledger,
        violations=violations,
        quiet=quiet,
        troubles=troubles.done,
        emitting=told - began,
        settling=settled - told,
        judging=time.monotonic() - settled,
    )


def _set_up(stage: Stage, plan: Plan) -> None:
    stage.settings["logging"] = {"level": "info"}
    stage.hook(statuses, action_type="latest", retry=RETRY)
    by_commit = {"policy": "ordered", "key": "{{ action.commit }}"}
    stage.hook(in_order, action_type="ordered", lane=by_commit, retry=RETRY)
    stage.hook(free, action_type="none", retry=RETRY)
    for behaviour, chance in BAD_DAYS:
        stage.target.plan(behaviour, chance=chance)
    for name, role in plan.nodes.items():
        stage.start(name, role=role)


def _tell(stage: Stage, plan: Plan, troubles: Troubles) -> None:
    """While each part of the story is told, one trouble happens."""
    ends = time.monotonic() + plan.seconds
    parts = plan.story()
    platform = _Sure(stage, [name for name, role in plan.nodes.items() if role in ACCEPTING], plan.seed)
    with ThreadPoolExecutor(plan.places) as pool:
        for index, part in enumerate(parts):
            if time.monotonic() > ends:
                return
            telling = [pool.submit(platform.tell, event) for event in part]
            troubles.happen(restart=index == len(parts) // 2)
            for each in telling:
                each.result()


class _Sure:
    """A platform that repeats an event until some node has taken it."""

    def __init__(self, stage: Stage, nodes: Sequence[str], seed: int) -> None:
        self._stage = stage
        self._nodes = nodes
        self._dice = Random(seed)  # noqa: S311  no secret
        self._clock = Event()  # never set: it only lets time pass

    def tell(self, event: EventText) -> None:
        while (told := self._stage.platform.emit(self._node().url, event)).fate is Fate.UNKNOWN:
            self._clock.wait(0.05)
        if told.fate is Fate.REFUSED:
            raise AssertionError(f"{event['id']} was refused")

    def _node(self) -> Node:
        return self._stage.nodes[self._dice.choice(self._nodes)]


def _becomes_quiet(stage: Stage, seconds: float) -> bool:
    try:
        stage.quiet(seconds)
    except AssertionError:
        return False
    return True
