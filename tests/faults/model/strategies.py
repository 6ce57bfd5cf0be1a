"""Correct runs at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.faults.history import Fate
from tests.faults.model.run import Run

TROUBLES = (
    "taken",
    "busy",
    "broken",
    "refused",
    "unreachable",
    "cut_off",
    "late",
    "killed",
    "killed_before",
    "stopped",
)
LANES = {"main": "latest", "side": "latest", "line": "ordered"}

_arrivals = st.fixed_dictionaries(
    {
        "lane": st.sampled_from([*LANES, "main"]),
        "action": st.integers(1, 3),
        "rank": st.integers(0, 2),
        "state": st.sampled_from([None, None, "a", "b"]),
        "lost_answers": st.sampled_from([0, 0, 0, 1]),
        "foreign": st.sampled_from([False] * 9 + [True]),
    }
)
_sends = st.tuples(st.sampled_from([*LANES, "main"]), st.sampled_from(TROUBLES))
_others = st.sampled_from(["wake", "cancel", "unknown", "refused"])
STEPS = st.lists(st.one_of(_arrivals, _sends, _sends, _others), min_size=4, max_size=25)


def run_of(steps: list[dict[str, Any] | tuple[str, str] | str]) -> Run:
    """A run that has come to rest."""
    run = Run()
    for step in steps:
        match step:
            case dict():
                _arrive(run, **step)
            case (str() as lane, str() as how):
                run.send(lane, how)
            case "wake":
                run.wake()
            case "cancel":
                waiting = [row["id"] for row in run.deliveries.values() if row["ended_at"] is None]
                if waiting:
                    run.cancel(waiting[-1])
            case _:
                run.emit_in_vain(Fate(step))
    run.come_to_rest()
    return run


def _arrive(run: Run, *, lane: str, action: int, foreign: bool, **arguments: Any) -> None:
    """Of another pipeline the numbers do not compare, and now and then there is none."""
    number = None if foreign and action == 1 else 4 - action if foreign else action
    run.arrive(
        lane,
        policy=LANES[lane],
        action=action,
        pipeline=2 if foreign else 1,
        number=number,
        **arguments,
    )


RUNS = STEPS.map(run_of)
