"""The judge of a run: what was emitted, what receivers got and what the tables hold must fit together."""

from __future__ import annotations

from tests.faults.history.check import check
from tests.faults.history.ledger import Duplicate, Ledger, summarise
from tests.faults.history.words import (
    Emitted,
    Fate,
    History,
    Limits,
    Pause,
    Received,
    Row,
    Rows,
    Violation,
)

__all__ = [
    "Duplicate",
    "Emitted",
    "Fate",
    "History",
    "Ledger",
    "Limits",
    "Pause",
    "Received",
    "Row",
    "Rows",
    "Violation",
    "check",
    "summarise",
]
