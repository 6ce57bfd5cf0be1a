"""What a soak is to be, and the story that the platform tells in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.faults.stage import happened

POLICIES = ("latest", "ordered", "none")
"""Lanes take them in turn."""
KINDS = ("queued", "started", "completed")
Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The same `seed` makes the same events and troubles, though not at the same moments.

    `troubles` are spread over the events. `places` emit at a time. `nodes` are roles by name. `seconds`: after
    these nothing more is emitted, and nothing more is done to anybody. `patience`: within so many seconds
    after that all must be delivered.
    """

    events: int = 100_000
    lanes: int = 5_000
    troubles: int = 250
    seed: int = 1
    places: int = 12
    seconds: float = 1800.0
    patience: float = 300.0
    nodes: Mapping[str, str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Plan:
        """SOAK_EVENTS, SOAK_LANES, SOAK_TROUBLES, SOAK_MINUTES, SOAK_SEED. Raises ValueError."""
        events = int(environ.get("SOAK_EVENTS", "100000"))
        return cls(
            events=events,
            lanes=int(environ.get("SOAK_LANES", str(max(events // 20, 3)))),
            troubles=int(environ.get("SOAK_TROUBLES", str(max(events // 400, 8)))),
            seed=int(environ.get("SOAK_SEED", "1")),
            seconds=60 * float(environ.get("SOAK_MINUTES", "30")),
            nodes={"one": "all", "two": "api", "three": "worker"},
        )

    def story(self) -> list[list[Event]]:
        """The events in as many parts as there are troubles. What happens in one lane is told in order, but
        the states of an action whose newest counts are shuffled."""
        dice = Random(self.seed)  # noqa: S311  no secret
        turns = [number % self.lanes for number in range(self.events)]
        dice.shuffle(turns)
        lanes = [_lane(lane, self.lanes, dice) for lane in range(self.lanes)]
        told = [next(lanes[lane]) for lane in turns]
        size = -(-len(told) // max(self.troubles, 1))
        return [told[begin : begin + size] for begin in range(0, len(told), size)]


def _lane(lane: int, lanes: int, dice: Random) -> Iterator[Event]:
    """One action after another on the same commit; their numbers grow."""
    policy = POLICIES[lane % len(POLICIES)]
    number = lane + 1
    while True:
        kinds = dice.sample(KINDS, len(KINDS)) if policy == "latest" else KINDS
        for kind in kinds:
            yield happened(kind, number, action={"type": policy, "commit": f"{lane:040x}"})
        number += lanes
