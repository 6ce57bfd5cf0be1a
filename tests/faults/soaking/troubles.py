"""What is done to nodes and to their database, one thing at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from threading import Event

from tests.faults.stage import Node, Stage
from tests.faults.stage.script import LEASE

LATEST = 0.4  # seconds after a part of the story has begun
Restart = Callable[[str], None]
"""Of the database, fast or immediate."""


class Troubles:
    """`done` counts them by what they were."""

    def __init__(self, stage: Stage, roles: Mapping[str, str], dice: Random, restart: Restart | None) -> None:
        self.done: Counter[str] = Counter()
        self._stage = stage
        self._roles = roles
        self._dice = dice
        self._restart = restart
        self._clock = Event()  # never set: it only lets time pass

    def happen(self, *, restart: bool) -> None:
        """One of them; what it strikes is at work again when this returns. `restart`: the database's turn."""
        self._clock.wait(self._dice.uniform(0, LATEST))
        node = self._stage.nodes[self._dice.choice([*self._roles])]
        if restart and self._restart is not None:
            mode = self._dice.choice(["fast", "immediate"])
            self._restart(mode)
            self.done[f"{mode} restart of PostgreSQL"] += 1
        elif self._dice.random() < 0.6:
            self._kill(node)
        elif self._dice.random() < 0.5:
            self._stop(node, self._dice.uniform(0.05, 0.5) * LEASE, "shorter")
        else:
            self._stop(node, self._dice.uniform(1.1, 2.0) * LEASE, "longer")
        for each in self._stage.nodes.values():
            del each.run.lines[:-100]  # a long run says more than memory holds

    def _kill(self, node: Node) -> None:
        node.kill()
        self._stage.start(node.name, role=self._roles[node.name])
        self.done["kill -9"] += 1

    def _stop(self, node: Node, milliseconds: float, than: str) -> None:
        node.stop()
        self._clock.wait(milliseconds / 1000)
        node.go_on()
        self.done[f"SIGSTOP {than} than a lease"] += 1
