from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as as_openmetrics
from prometheus_client.parser import text_string_to_metric_families as as_text

from hookengine import __version__
from hookengine.engine import signals as names
from hookengine.engine.signals import Signals
from hookengine.errors import StoreError
from hookengine.metrics import Exposition, Tallies
from hookengine.store.care import Figures
from tests.conftest import NOW, Clock

pytestmark = pytest.mark.anyio

EMPTY = Figures(waiting=0, oldest_due=None, leases=0, circuits={})


class Node:
    """A store and a worker that say what they are told to."""

    def __init__(self, clock: Clock) -> None:
        self.signals = Signals()
        self.tallies = Tallies(self.signals)
        self.exposition = Exposition(self.tallies, self.figures, self, clock)
        self.taken = 0
        self.last_round = 0.0
        self.found: Figures | Exception | None = EMPTY
        self.asked: list[int] = []

    @property
    def room(self) -> Node:
        return self

    async def figures(self, now: int) -> Figures:
        self.asked.append(now)
        if self.found is None:
            await asyncio.Event().wait()
        if isinstance(self.found, Exception):
            raise self.found
        assert self.found is not None
        return self.found

    async def read(self) -> dict[tuple[str, ...], float]:
        """By name and label values, those in the order of the labels' names: host before outcome."""
        text, _ = await self.exposition.text()
        return samples(as_text(text.decode()))


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def node(clock: Clock) -> Node:
    return Node(clock)


async def test_counts_are_told_with_their_labels(node: Node) -> None:
    node.tallies.events.add(("accepted",), 5)
    node.tallies.attempts.add(("5xx", "a.example"), 2)

    told = await node.read()

    assert told["hookengine_events_total", "accepted"] == 5
    assert told["hookengine_events_total", "repeated"] == 0
    assert told["hookengine_attempts_total", "a.example", "5xx"] == 2
    assert told["hookengine_repairs_total",] == 0


async def test_a_histogram_has_buckets_a_sum_and_a_count(node: Node) -> None:
    node.tallies.on_commit(0.004, 3)

    told = await node.read()

    assert told["hookengine_commit_duration_seconds_bucket", "0.0025"] == 0
    assert told["hookengine_commit_duration_seconds_bucket", "0.005"] == 1
    assert told["hookengine_commit_duration_seconds_bucket", "+Inf"] == 1
    assert told["hookengine_commit_duration_seconds_sum",] == 0.004
    assert told["hookengine_commit_duration_seconds_count",] == 1
    assert told["hookengine_commit_batch_size_sum",] == 3


async def test_the_store_is_asked_for_what_it_holds_now(node: Node, clock: Clock) -> None:
    node.found = Figures(
        waiting=12,
        oldest_due=NOW - 4_000,
        leases=3,
        circuits={"a.example": "open", "b.example": "half-open"},
        wal_bytes=4096,
    )
    clock.advance(seconds=1)

    told = await node.read()

    assert node.asked == [NOW + 1_000]
    assert told["hookengine_store_up",] == 1
    assert told["hookengine_deliveries_waiting",] == 12
    assert told["hookengine_oldest_due_age_seconds",] == 5
    assert told["hookengine_lanes_leased",] == 3
    assert told["hookengine_circuit_open", "a.example", "open"] == 1
    assert told["hookengine_circuit_open", "b.example", "half-open"] == 1
    assert told["hookengine_sqlite_wal_bytes",] == 4096


@pytest.mark.parametrize("oldest_due", [None, NOW, NOW + 1])
async def test_nothing_overdue_has_no_age(node: Node, oldest_due: int | None) -> None:
    node.found = Figures(waiting=1, oldest_due=oldest_due, leases=0, circuits={})

    assert (await node.read())["hookengine_oldest_due_age_seconds",] == 0


async def test_open_circuits_beyond_the_most_hosts_are_counted_together(node: Node) -> None:
    circuits = {f"{number:03}.example": "open" for number in range(203)}
    node.found = Figures(waiting=0, oldest_due=None, leases=0, circuits=circuits)

    told = await node.read()

    assert told["hookengine_circuit_open", "199.example", "open"] == 1
    assert told["hookengine_circuit_open", "other", "open"] == 3
    assert len([name for name in told if name[0] == "hookengine_circuit_open"]) == 201


@pytest.mark.parametrize("found", [StoreError("the disk is full"), None])
async def test_a_store_that_does_not_answer_takes_only_its_own_figures_away(
    node: Node, found: StoreError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.metrics.exposition.PATIENCE", 0.01)
    node.tallies.store_failures.add(("claiming",))
    node.found = found

    told = await node.read()

    assert told["hookengine_store_up",] == 0
    assert told["hookengine_store_failures_total", "claiming"] == 1
    assert ("hookengine_deliveries_waiting",) not in told


async def test_the_worker_is_asked_what_it_does_now(node: Node, clock: Clock) -> None:
    node.taken = 7
    node.last_round = clock.ticks()
    node.signals.announce(names.WORKER_STARTED, in_flight=512)
    clock.advance(seconds=2.5)

    told = await node.read()

    assert told["hookengine_requests_in_flight",] == 7
    assert told["hookengine_worker_heartbeat_age_seconds",] == 2.5


async def test_a_worker_that_does_not_run_has_no_heartbeat(node: Node) -> None:
    before = await node.read()
    node.signals.announce(names.WORKER_STARTED, in_flight=512)
    between = await node.read()
    node.signals.announce(names.WORKER_STOPPED)
    after = await node.read()

    name = ("hookengine_worker_heartbeat_age_seconds",)
    assert [name in told for told in (before, between, after)] == [False, True, False]


async def test_it_says_what_runs(node: Node) -> None:
    told = await node.read()

    assert [name[2] for name in told if name[0] == "hookengine_build_info"] == [__version__]


async def test_all_but_the_processs_own_figures_have_our_name(node: Node) -> None:
    told = await node.read()

    assert {name[0].partition("_")[0] for name in told} == {"hookengine", "process"}


async def test_openmetrics_is_told_to_who_asks_for_it(node: Node) -> None:
    node.tallies.events.add(("accepted",), 5)

    plain = await node.exposition.text("text/html,*/*")
    open_metrics = await node.exposition.text("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    assert plain[1].startswith("text/plain; version=0.0.4")
    assert open_metrics[1].startswith("application/openmetrics-text; version=1.0.0")
    assert samples(as_openmetrics(open_metrics[0].decode()))["hookengine_events_total", "accepted"] == 5


async def test_two_can_ask_at_once(node: Node) -> None:
    both = await asyncio.gather(node.read(), node.read())

    assert [told["hookengine_store_up",] for told in both] == [1, 1]


async def test_a_mistake_in_asking_is_not_taken_for_a_store_that_does_not_answer(node: Node) -> None:
    node.found = KeyError("waiting")

    with pytest.raises(KeyError):
        await node.read()
