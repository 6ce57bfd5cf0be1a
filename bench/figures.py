"""What a run measured, and tables of it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Deliveries a second, and microseconds of CPU that the measured process spent on each."""

    rate: float
    cpu: float


def median_of(runs: Sequence[Run]) -> Run:
    """The run in the middle by rate: its figures belong together."""
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def p50_p99(milliseconds: Sequence[float]) -> str:
    return f"{statistics.median(milliseconds):.2f} / {percentile(milliseconds, 0.99):.2f}"


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown, ready for the README."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    print(f"\n{title}\n")
    for row in (heads, ["-" * width for width in widths], *rows):
        cells = " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"| {cells} |", flush=True)


def say(text: str) -> None:
    """Progress, with how busy the machine is: other work on it spoils figures."""
    print(f"  {text} (load {os.getloadavg()[0]:.1f})", flush=True)
