"""docs/metrics.md has every metric with its labels, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from hookengine.engine.signals import Signals
from hookengine.metrics import Exposition, Tallies
from hookengine.store.care import Figures
from tests.conftest import Clock

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(hookengine_\w+)` \|([\w, ]*)\| .+ \|$", re.MULTILINE)


class Worker:
    """Does nothing, with every label there is."""

    taken = 0
    last_round = 0.0

    @property
    def room(self) -> Worker:
        return self


async def figures(now: int) -> Figures:
    return Figures(waiting=1, oldest_due=None, leases=0, circuits={"a.example": "open"})


async def told() -> Mapping[str, set[str]]:
    """Labels by name. Of a histogram, `le` goes without saying."""
    signals = Signals()
    exposition = Exposition(Tallies(signals), figures, Worker(), Clock())
    signals.announce("worker.started")
    signals.announce("store.failed", doing="claiming")
    signals.announce("worker.failed", doing="claiming")
    signals.announce("circuit.opened", host="a.example")
    signals.announce("attempt.finished", kind="2xx", host="a.example", seconds=0.1)
    text, _ = await exposition.text()
    families = text_string_to_metric_families(text.decode())
    return {_name(family): _labels(family) for family in families if family.name.startswith("hookengine_")}


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def documented() -> Mapping[str, set[str]]:
    return {name: set(labels.replace(",", " ").split()) for name, labels in ROW.findall(PAGE)}


def test_every_metric_stands_once() -> None:
    assert len(ROW.findall(PAGE)) == len(documented())


async def test_the_page_has_the_metrics_that_are_told_with_their_labels() -> None:
    assert documented() == await told()
