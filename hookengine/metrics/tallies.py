"""Listens to one engine's signals and to its store's commits, and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hookengine.domain.attempt import Blocked, kind_of
from hookengine.domain.delivery import ENDED
from hookengine.engine import signals
from hookengine.engine.signals import Facts, Signals
from hookengine.metrics.numbers import Names, Spread, Tally

MOST_HOSTS = 200
"""Hosts that are counted by their name. Templates can make up any number of them, and each costs memory here
and in whatever reads the figures."""

ATTEMPT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
DELAY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_BLOCKED = kind_of(Blocked(reason=""))


class Tallies:
    """What has happened on this node since it started. It counts from when it is made until `close`."""

    def __init__(self, signals: Signals, most_hosts: int = MOST_HOSTS) -> None:
        self.events = Tally(("accepted",), ("repeated",))
        self.ended = Tally(*((str(status),) for status in sorted(ENDED)))
        self.attempts = Tally()
        self.attempt_seconds = Spread(ATTEMPT_SECONDS)
        self.delay_seconds = Spread(DELAY_SECONDS)
        self.late = Tally(())
        self.rescued = Tally(())
        self.repairs = Tally(())
        self.hooks_stopped = Tally(("gone",), ("failing",))
        self.circuits_opened = Tally()
        self.lanes_contested = Tally(())
        self.actions_timed_out = Tally(())
        self.store_failures = Tally()
        self.worker_failures = Tally()
        self.upkeep_runs = Tally(("prune",), ("sweep",))
        self.pruned = Tally(())
        self.mended = Tally(())
        self.commit_seconds = Spread(COMMIT_SECONDS)
        self.commit_sizes = Spread(BATCH_SIZES)
        self.delivering = False  # whether the worker runs
        self._hosts = Names(most_hosts)
        self._heard = self._handlers()
        self.close = signals.listen(self.hear)

    def hear(self, name: str, facts: Facts) -> None:
        count = self._heard.get(name)
        if count is not None:
            count(facts)

    def on_commit(self, seconds: float, batch: int) -> None:
        """A transaction of the store took so many seconds, and held so many pieces of work.

        May be called from the one thread that writes.
        """
        self.commit_seconds.add(seconds)
        self.commit_sizes.add(batch)

    def _handlers(self) -> Mapping[str, Callable[[Facts], None]]:
        return {
            signals.EVENT_ACCEPTED: lambda facts: self.events.add(("accepted",)),
            signals.EVENT_REPEATED: lambda facts: self.events.add(("repeated",)),
            signals.DELIVERY_ENDED: lambda facts: self.ended.add((facts["status"],)),
            signals.ATTEMPT_STARTED: self._attempt_started,
            signals.ATTEMPT_FINISHED: self._attempt_finished,
            signals.ATTEMPT_LATE: self._attempt_late,
            signals.ATTEMPT_RESCUED: lambda facts: self.rescued.add(),
            signals.REPAIR_OWED: lambda facts: self.repairs.add(),
            signals.HOOK_SWITCHED_OFF: lambda facts: self.hooks_stopped.add(("gone",)),
            signals.HOOK_PAUSED: lambda facts: self.hooks_stopped.add(("failing",)),
            signals.CIRCUIT_OPENED: lambda facts: self.circuits_opened.add(
                (self._hosts.label(facts["host"]),)
            ),
            signals.LANE_CONTESTED: lambda facts: self.lanes_contested.add(),
            signals.ACTION_TIMED_OUT: lambda facts: self.actions_timed_out.add(),
            signals.STORE_FAILED: lambda facts: self.store_failures.add((facts["doing"],)),
            signals.WORKER_FAILED: lambda facts: self.worker_failures.add((facts["doing"],)),
            signals.UPKEEP_DONE: self._upkeep_done,
            signals.WORKER_STARTED: lambda facts: self._worker_runs(True),
            signals.WORKER_STOPPED: lambda facts: self._worker_runs(False),
        }

    def _attempt_started(self, facts: Facts) -> None:
        if facts["attempt"] == 1:
            self.delay_seconds.add(max(facts["waited"], 0.0))

    def _attempt_finished(self, facts: Facts) -> None:
        """What was blocked never left: it takes no time, and its host no name away from those that are called."""
        kind = facts["kind"]
        left = kind != _BLOCKED
        self.attempts.add((kind, self._hosts.label(facts["host"], new=left)))
        if left:
            self.attempt_seconds.add(facts["seconds"])

    def _attempt_late(self, facts: Facts) -> None:
        self.late.add()
        self._attempt_finished(facts)

    def _worker_runs(self, runs: bool) -> None:
        self.delivering = runs

    def _upkeep_done(self, facts: Facts) -> None:
        task, count = facts["task"], facts["count"]
        self.upkeep_runs.add((task,))
        if task == "prune":
            self.pruned.add(count=count)
        elif task == "sweep":
            self.mended.add(count=count)
