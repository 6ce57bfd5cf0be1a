"""A model of the engine that makes no mistakes, to try the judge on."""

from __future__ import annotations

from tests.faults.model.protocol import BEGIN, LEASE, SECOND, SETTLE
from tests.faults.model.rows import MutableRow
from tests.faults.model.run import DEADLINE, Run

__all__ = ["BEGIN", "DEADLINE", "LEASE", "SECOND", "SETTLE", "MutableRow", "Run"]
