"""The figures as text for Prometheus. Names, labels and meanings are in docs/metrics.md; a test compares them."""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hookengine import __version__
from hookengine.domain.clock import Clock, Millis
from hookengine.errors import StoreError
from hookengine.metrics.numbers import Names, Spread, Tally
from hookengine.metrics.tallies import MOST_HOSTS, Tallies
from hookengine.store.care import Figures

PATIENCE = 3.0  # seconds the store may take to answer; whoever reads the figures gives up after ten


class Taken(Protocol):
    @property
    def taken(self) -> int:
        """Requests that are under way now."""
        ...


class Works(Protocol):
    """What is asked of the worker."""

    @property
    def room(self) -> Taken: ...

    @property
    def last_round(self) -> float:
        """The clock's ticks when its loop last went round."""
        ...


class Exposition:
    """All figures of one engine. Nothing of it is shared with another engine in the same process."""

    def __init__(
        self,
        tallies: Tallies,
        figures: Callable[[Millis], Awaitable[Figures]],
        worker: Works,
        clock: Clock,
    ) -> None:
        self._tallies = tallies
        self._figures = figures
        self._worker = worker
        self._clock = clock
        self._process = ProcessCollector(registry=None)

    async def text(self, accept: str = "") -> tuple[bytes, str]:
        """The text and its content type, as a request's `accept` header asks for it.

        Made in a thread: with as many hosts as there may be it takes tens of milliseconds.
        """
        encode, content_type = choose_encoder(accept)
        figures = await self._ask()
        text = await asyncio.to_thread(lambda: encode(_Read(self._families(figures))))
        return text, content_type

    async def _ask(self) -> Figures | None:
        """A store that does not answer takes only its own figures away."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._figures(self._clock.now())
        except (StoreError, TimeoutError):
            return None

    def _families(self, figures: Figures | None) -> list[Metric]:
        return [*self._of_node(), *self._of_store(figures), *self._process.collect()]

    def _of_node(self) -> Iterator[Metric]:
        yield _gauge(
            "build_info", "What runs.", [((__version__, platform.python_version()), 1)], "version", "python"
        )
        yield from _counters(self._tallies)
        yield from _histograms(self._tallies)
        yield _gauge(
            "requests_in_flight", "Requests being sent by this node.", [((), self._worker.room.taken)]
        )
        since = self._clock.ticks() - self._worker.last_round
        age = [((), max(since, 0.0))] if self._tallies.delivering else []
        yield _gauge("worker_heartbeat_age_seconds", "Since the worker's loop last went round.", age)

    def _of_store(self, figures: Figures | None) -> Iterator[Metric]:
        yield _gauge("store_up", "Whether the store answers.", [((), float(figures is not None))])
        if figures is None:
            return
        age = 0 if figures.oldest_due is None else max(self._clock.now() - figures.oldest_due, 0)
        yield _gauge("deliveries_waiting", "Deliveries that wait to be sent.", [((), figures.waiting)])
        yield _gauge("oldest_due_age_seconds", "How long the oldest due delivery is due.", [((), age / 1000)])
        yield _gauge("lanes_leased", "Lanes that are leased now.", [((), figures.leases)])
        yield _gauge("circuit_open", "Circuits that are not closed.", _circuits(figures), "host", "state")
        yield _gauge("sqlite_wal_bytes", "Size of SQLite's write-ahead log.", [((), figures.wal_bytes)])


class _Read(Collector):
    """What the encoders take in place of a registry."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counters(tallies: Tallies) -> Iterator[Metric]:
    yield _counter("events", "Events taken in.", tallies.events, "result")
    yield _counter("deliveries_ended", "Deliveries that ended.", tallies.ended, "status")
    yield _counter("attempts", "Attempts whose outcome was recorded.", tallies.attempts, "outcome", "host")
    yield _counter("attempts_late", "Results that came after their lease was gone.", tallies.late)
    yield _counter("leases_rescued", "Leases that ended without a result.", tallies.rescued)
    yield _counter("repairs", "States sent once more, because of a doubt.", tallies.repairs)
    yield _counter("hooks_stopped", "Hooks switched off or paused.", tallies.hooks_stopped, "because")
    yield _counter("circuits_opened", "Hosts that failed again and again.", tallies.circuits_opened, "host")
    yield _counter("lanes_contested", "Lanes that two pipelines write.", tallies.lanes_contested)
    yield _counter("actions_timed_out", "Actions that nobody ended.", tallies.actions_timed_out)
    yield _counter("store_failures", "Times the store failed the engine.", tallies.store_failures, "doing")
    yield _counter("worker_failures", "Mistakes of the engine's own.", tallies.worker_failures, "doing")
    yield _counter("upkeep_runs", "Times that upkeep was done.", tallies.upkeep_runs, "task")
    yield _counter("pruned_rows", "Rows that were deleted as old.", tallies.pruned)
    yield _counter("sweep_mended", "Lanes and deliveries found left behind.", tallies.mended)


def _histograms(tallies: Tallies) -> Iterator[Metric]:
    yield _histogram("attempt_duration_seconds", "How long requests took.", tallies.attempt_seconds)
    yield _histogram(
        "first_attempt_delay_seconds", "From acceptance to the first attempt.", tallies.delay_seconds
    )
    yield _histogram("commit_duration_seconds", "How long commits took.", tallies.commit_seconds)
    yield _histogram("commit_batch_size", "Pieces of work in one commit.", tallies.commit_sizes)


def _counter(name: str, meaning: str, tally: Tally, *labels: str) -> Metric:
    family = CounterMetricFamily(f"hookengine_{name}", meaning, labels=labels)
    for values, count in tally.read().items():
        family.add_metric(values, count)
    return family


def _gauge(name: str, meaning: str, samples: Iterable[tuple[Sequence[str], float]], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"hookengine_{name}", meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(name: str, meaning: str, spread: Spread) -> Metric:
    family = HistogramMetricFamily(f"hookengine_{name}", meaning, labels=())
    family.add_metric((), spread.read(), spread.sum)
    return family


def _circuits(figures: Figures) -> list[tuple[tuple[str, str], float]]:
    """As many hosts by name as are counted by name elsewhere; of the others, how many."""
    names = Names(MOST_HOSTS)
    found = Counter((names.label(host), state) for host, state in sorted(figures.circuits.items()))
    return [(labels, float(count)) for labels, count in found.items()]
